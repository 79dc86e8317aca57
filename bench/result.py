"""All that one run of the benchmark has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.exactness import Exactness
from bench.figures import Figures
from bench.options import Options
from bench.processes import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`starts` in seconds, the first on no data; memory by process, idle and after all load.

    `exact` by what was compared; `machine` by what describes it.
    """

    options: Options
    machine: Mapping[str, str]
    starts: Sequence[float]
    idle: Mapping[str, Memory]
    loaded: Mapping[str, Memory]
    figures: Figures
    exact: Mapping[str, Exactness]

    def failures(self) -> list[str]:
        """What makes the run worthless, none of it a matter of speed."""
        wrong = [
            f"{name}: answers spent {each.answered} tokens, the pool lost {each.lost}"
            for name, each in self.exact.items()
            if not each.holds
        ]
        return [*self.figures.problems(), *wrong]
