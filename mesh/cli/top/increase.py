"""How much counters have grown between two scrapes of one process."""

import math
from collections.abc import Callable, Iterable, Mapping

from mesh.cli.top.samples import Labels, Series

Chosen = Callable[[Mapping[str, str]], bool]


def increase(before: Series, after: Series) -> dict[Labels, float]:
    """By series, at least 0.

    A counter that is smaller than before was set back to 0 in between, as by a new
    start, and one that was not there had counted nothing
    (prometheus.io/docs/prometheus/latest/querying/functions, increase, without its
    extrapolation to the ends of the range).
    """
    return {labels: _grown(before.get(labels, 0.0), now) for labels, now in after.items()}


def _grown(before: float, now: float) -> float:
    if math.isnan(before) or math.isnan(now):
        return 0.0
    return now if now < before else now - before


def added(parts: Iterable[Series]) -> dict[Labels, float]:
    """The sum of several, series by series."""
    total: dict[Labels, float] = {}
    for part in parts:
        for labels, value in part.items():
            total[labels] = total.get(labels, 0.0) + value
    return total


def everything(_labels: Mapping[str, str]) -> bool:
    """Chooses every series."""
    return True


def total(series: Series, chosen: Chosen = everything) -> float:
    """The sum over the series that are chosen by their labels."""
    return sum(value for labels, value in series.items() if chosen(dict(labels)))


def by_label(series: Series, label: str) -> dict[str, float]:
    """The sum for each value of a label, in its order; series without it are left out."""
    sums: dict[str, float] = {}
    for labels, value in series.items():
        key = dict(labels).get(label)
        if key is not None:
            sums[key] = sums.get(key, 0.0) + value
    return dict(sorted(sums.items()))
