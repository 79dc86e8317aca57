"""Whether a row costs more than was recorded."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.guard.recorded import Recorded
from bench.spread import Spread

# More than this beyond what was recorded is a loss.
ALLOWED = 0.10


class NothingRecordedError(ValueError):
    """There is nothing to compare with; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row then and now."""

    row: str
    recorded: float
    rounds: Sequence[float]

    @property
    def measured(self) -> Spread:
        """Of all rounds together."""
        return Spread.of(self.rounds)

    @property
    def change(self) -> float:
        """By how much more it costs, 0.1 being a tenth; negative when less."""
        return self.measured.median / self.recorded - 1

    @property
    def lost(self) -> bool:
        """Whether that is too much; what could not be measured is."""
        return not self.change <= ALLOWED


def unsteady(values: Sequence[float]) -> float:
    """How far the median of the rounds may well be from the truth, as a share of it."""
    ordered, median = sorted(values), Spread.of(values).median
    aside = len(ordered) // 4
    middle = ordered[aside : len(ordered) - aside]
    width = middle[-1] - middle[0]
    return width / median / math.sqrt(len(ordered)) if median > 0 else math.inf


def compared(
    recorded: Recorded, measured: Mapping[str, Sequence[float]], circumstances: Mapping[str, str]
) -> list[Verdict]:
    """Each measured row. Raises NothingRecordedError where it was not recorded so."""
    then = recorded.circumstances
    other = [
        f"{name} was {then.get(name, 'not said')}, is {circumstances.get(name, 'not said')}"
        for name in sorted({*then, *circumstances})
        if then.get(name) != circumstances.get(name)
    ]
    if other:
        raise NothingRecordedError(f"recorded otherwise: {'; '.join(other)}")
    missing = sorted(set(measured) - set(recorded.ratios))
    if missing:
        raise NothingRecordedError(f"not recorded: {', '.join(missing)}")
    return [
        Verdict(row=row, recorded=recorded.ratios[row], rounds=rounds)
        for row, rounds in measured.items()
    ]
