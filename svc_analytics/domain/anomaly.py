"""Whether a window stands out from those before it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A window's tokens against the average of its baseline; `ratio` is None without one."""

    current_tokens: int
    baseline_average: float
    ratio: float | None
    anomaly: bool


def compare(baseline: Sequence[int], current: int, *, threshold: float) -> Comparison:
    """Anomalous is a ratio at or above the threshold.

    `baseline` holds the tokens of each window before the current one. One
    without any token says nothing about what is usual: no ratio, no anomaly.
    """
    used = sum(baseline)
    # One division: the average's rounding must not move a ratio off its threshold.
    ratio = current * len(baseline) / used if used else None
    return Comparison(
        current_tokens=current,
        baseline_average=used / len(baseline) if baseline else 0.0,
        ratio=ratio,
        anomaly=ratio is not None and ratio >= threshold,
    )
