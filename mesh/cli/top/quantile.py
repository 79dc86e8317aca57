"""Quantiles of histograms, as Prometheus' histogram_quantile has them."""

import math
from collections.abc import Callable, Mapping

from mesh.cli.top.samples import Labels

Buckets = Mapping[float, float]


def buckets(
    increases: Mapping[Labels, float], chosen: Callable[[Mapping[str, str]], bool]
) -> dict[float, float]:
    """The cumulative counts by upper bound, of all `_bucket` series that are chosen."""
    found: dict[float, float] = {}
    for labels, value in increases.items():
        read = dict(labels)
        if "le" in read and chosen(read):
            bound = float(read["le"])
            found[bound] = found.get(bound, 0.0) + value
    return found


def quantile(q: float, counts: Buckets) -> float:
    """The q-quantile, 0 to 1, by linear interpolation within its bucket; NaN for no observation.

    Equal to Prometheus' (promql/quantile.go, classic histograms): below the first bound
    the bucket begins at 0, in the last bucket the answer is the bound before it, and
    counts that sink are taken as level.
    """
    if math.isnan(q):
        return math.nan
    if not 0 <= q <= 1:
        return math.copysign(math.inf, q)
    bounds, levels = _rising(counts)
    if len(bounds) < 2 or bounds[-1] != math.inf or not levels[-1]:  # noqa: PLR2004 a bound and +Inf
        return math.nan
    rank = q * levels[-1]
    at = next((i for i, level in enumerate(levels[:-1]) if level >= rank), len(levels) - 1)
    return _within(bounds, levels, at, rank)


def _rising(counts: Buckets) -> tuple[list[float], list[float]]:
    bounds = sorted(counts)
    levels: list[float] = []
    for bound in bounds:
        levels.append(max(counts[bound], levels[-1] if levels else counts[bound]))
    return bounds, levels


def _within(bounds: list[float], levels: list[float], at: int, rank: float) -> float:
    if at == len(bounds) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    low, below = (bounds[at - 1], levels[at - 1]) if at else (0.0, 0.0)
    inside = levels[at] - below
    if not inside:
        # Only q = 0 over empty buckets gets here, where Prometheus divides 0 by 0.
        return math.nan
    return low + (bounds[at] - low) * ((rank - below) / inside)
