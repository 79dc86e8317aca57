"""Figures of several rounds as one."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

# A figure is told to a tenth of it at least, where that takes no more than so many digits.
_FEWEST, _MOST_DIGITS = 10, 4


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest, the median and the largest of a figure over the rounds."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> "Spread":
        """Raises ValueError when there are none."""
        known = sorted(figures)
        if not known:
            raise ValueError("no rounds")
        return cls(known[0], statistics.median(known), known[-1])

    def over(self, divisor: float) -> "Spread":
        """Each of them as such a part."""
        return Spread(self.low / divisor, self.median / divisor, self.high / divisor)

    def text(self, digits: int) -> str:
        """As `1.20 / 1.25 / 1.31`, or once when all are alike; what is small has more digits."""
        while digits < _MOST_DIGITS and 0 < self.median * 10**digits < _FEWEST:
            digits += 1
        texts = [f"{each:.{digits}f}" for each in (self.low, self.median, self.high)]
        return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest rank of sorted figures; 0 when there are none."""
    if not ordered:
        return 0.0
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
