"""All that was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.strain.killed import Killed
from bench.strain.left_behind import Cancelled
from bench.strain.overloaded import Overloaded
from bench.strain.slow_call import SlowCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured; `load` is the load average before and after."""

    slow: SlowCall | None = None
    cancelled: Cancelled | None = None
    killed: Sequence[Killed] = ()
    overloads: Sequence[Overloaded] = ()
    load: tuple[float, float] = (0.0, 0.0)

    def problems(self) -> list[str]:
        """Why the figures mean nothing."""
        parts = [each for each in (self.slow, self.cancelled) if each]
        return [
            problem
            for part in (*parts, *self.killed, *self.overloads)
            for problem in part.problems()
        ]
