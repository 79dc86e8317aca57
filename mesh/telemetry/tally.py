"""Metrics of the event loop's own: one thread counts, so there is no lock.

They are prometheus_client's by name and shape, at a tenth of the cost: a call passes
a dozen of them. A scrape reads them on the loop. What a thread counts, or needs more of
prometheus_client's, such as a child's time in progress, is that library's own.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from math import inf
from typing import Any, Self

import prometheus_client
from prometheus_client import REGISTRY
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

# What prometheus_client has; the last one, for all that is more, is always there.
_BUCKETS = prometheus_client.Histogram.DEFAULT_BUCKETS[:-1]


class _Tally(ABC):
    """A metric and, by the values of its labels, its children, which are of the same kind."""

    def __init__(self, name: str, text: str, labels: Iterable[str] = (), **options: Any) -> None:
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._options = options
        self._children: dict[tuple[str, ...], Self] = {}
        if name:
            REGISTRY.register(self)

    def labels(self, *values: str) -> Self:
        """The child of these values, in the order of the labels. Raises ValueError."""
        if len(values) != len(self._labels):
            message = f"{self._name} has the labels {self._labels}"
            raise ValueError(message)
        if values not in self._children:
            self._children[values] = type(self)("", "", **self._options)
        return self._children[values]

    def describe(self) -> Iterator[Metric]:
        """Its name, for the registry."""
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        """All series as they stand."""
        family = self._family()
        for values, child in self._children.items() if self._labels else [((), self)]:
            child._add(family, values)  # noqa: SLF001 its own kind
        yield family

    @abstractmethod
    def _family(self) -> Any: ...

    @abstractmethod
    def _add(self, family: Any, values: Sequence[str]) -> None: ...


class Counter(_Tally):
    """What only grows."""

    value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Counts."""
        self.value += amount

    def _family(self) -> Any:
        return CounterMetricFamily(self._name, self._text, labels=self._labels)

    def _add(self, family: Any, values: Sequence[str]) -> None:
        family.add_metric(values, self.value)


class Gauge(_Tally):
    """What goes up and down."""

    value = 0.0
    _read: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        """How it stands."""
        self.value = value

    def inc(self, amount: float = 1) -> None:
        """One more."""
        self.value += amount

    def dec(self, amount: float = 1) -> None:
        """One less."""
        self.value -= amount

    def set_function(self, read: Callable[[], float]) -> None:
        """How it stands is asked at each scrape."""
        self._read = read

    def _family(self) -> Any:
        return GaugeMetricFamily(self._name, self._text, labels=self._labels)

    def _add(self, family: Any, values: Sequence[str]) -> None:
        family.add_metric(values, self._read() if self._read else self.value)


class Histogram(_Tally):
    """How often values came within each of the `buckets`, which are upper bounds."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Iterable[str] = (),
        *,
        buckets: Sequence[float] = _BUCKETS,
    ) -> None:
        self._bounds = tuple(buckets)
        self._counts = [0] * (len(buckets) + 1)
        self._total = 0.0
        super().__init__(name, text, labels, buckets=buckets)

    def observe(self, value: float) -> None:
        """Counts a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def _family(self) -> Any:
        return HistogramMetricFamily(self._name, self._text, labels=self._labels)

    def _add(self, family: Any, values: Sequence[str]) -> None:
        bounds = map(floatToGoString, (*self._bounds, inf))
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        family.add_metric(values, buckets, self._total)
