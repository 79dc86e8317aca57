"""Gauges that are read at a scrape and cost nothing in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mesh.telemetry.tally import Gauge


class Sampled:
    """A gauge that is the sum over all who are there, 0 without any.

    A scrape asks on the event loop, so what is asked must not wait.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._asked: dict[object, Callable[[], float]] = {}
        gauge.set_function(self._sum)

    @contextmanager
    def reading(self, ask: Callable[[], float]) -> Iterator[None]:
        """Counts what `ask` says during the block."""
        key = object()
        self._asked[key] = ask
        try:
            yield
        finally:
            del self._asked[key]

    def _sum(self) -> float:
        return float(sum(ask() for ask in self._asked.values()))
