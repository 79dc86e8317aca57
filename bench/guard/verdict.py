"""Whether a row costs more than was recorded."""

from collections.abc import Mapping
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
    measured: Spread

    @property
    def change(self) -> float:
        """By how much more it costs, 0.1 being a tenth; negative when less."""
        return self.measured.median / self.recorded - 1

    @property
    def lost(self) -> bool:
        """Whether that is too much; what could not be measured is."""
        return not self.change <= ALLOWED


def compared(
    recorded: Recorded, measured: Mapping[str, Spread], circumstances: Mapping[str, str]
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
        Verdict(row=row, recorded=recorded.ratios[row], measured=spread)
        for row, spread in measured.items()
    ]
