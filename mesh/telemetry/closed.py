"""Metrics whose labels have declared values: all series are there from the start, no others come.

A rate over a counter needs the 0 that its series began with, and a label that
anybody could fill would make as many series as there are users.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from mesh.telemetry.tally import Counter, Gauge, Histogram

M = TypeVar("M", Counter, Gauge, Histogram)
# Stands for a value that is not among those of a label.
UNKNOWN = "unknown"
NOTHING: Mapping[str, str] = MappingProxyType({})
DECLARED: dict[str, "Closed[Any]"] = {}


class Closed(Generic[M]):
    """A metric and its children, which are looked up in a dictionary and made here alone.

    `labels` has the values of each label, in their order; `spare` the declared
    one that stands for all others of its label. Without a spare one a foreign
    value is a ValueError: it comes from a fault in the program.
    """

    def __init__(
        self,
        kind: type[M],
        name: str,
        text: str,
        labels: Mapping[str, Iterable[str]],
        *,
        spare: Mapping[str, str] = NOTHING,
        **options: Any,
    ) -> None:
        self.name = name
        self._metric: M = kind(name, text, tuple(labels), **options)
        self._values = {label: dict.fromkeys(map(str, values)) for label, values in labels.items()}
        self._spare = spare
        self._children: dict[tuple[str, ...], M] = {}
        for label, value in spare.items():
            self._values[label][value] = None
        self._fill()
        DECLARED[name] = self

    @property
    def labels(self) -> dict[str, frozenset[str]]:
        """Every value that each label may have by now."""
        return {label: frozenset(values) for label, values in self._values.items()}

    def admit(self, label: str, values: Iterable[str]) -> None:
        """Declares more values, such as settings name; never what a caller sent."""
        self._values[label].update(dict.fromkeys(values))
        self._fill()

    def of(self, *values: str) -> M:
        """The child of these values, in the order of the labels. Raises ValueError."""
        child = self._children.get(values)
        return self._spared(values) if child is None else child

    def children(self) -> Iterable[M]:
        """All of them, such as to set gauges back."""
        return self._children.values()

    def _spared(self, values: tuple[str, ...]) -> M:
        known = tuple(
            value if value in allowed else self._spare.get(label, value)
            for value, (label, allowed) in zip(values, self._values.items(), strict=True)
        )
        if known not in self._children:
            message = f"{self.name} has declared no {known}"
            raise ValueError(message)
        return self._children[known]

    def _fill(self) -> None:
        for values in product(*self._values.values()):
            if values not in self._children:
                self._children[values] = self._metric.labels(*values)
