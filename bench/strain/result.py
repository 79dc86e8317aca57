"""All that was measured."""

from dataclasses import dataclass

from bench.strain.left_behind import Cancelled
from bench.strain.overloaded import Overloaded
from bench.strain.slow_call import SlowCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured; `load` is the load average before and after."""

    slow: SlowCall | None
    cancelled: Cancelled | None
    overloads: list[Overloaded]
    load: tuple[float, float]

    def problems(self) -> list[str]:
        """Why the figures mean nothing."""
        parts = [each for each in (self.slow, self.cancelled) if each]
        return [problem for part in (*parts, *self.overloads) for problem in part.problems()]
