"""All that one run of the benchmark has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.exactness import Exactness
from bench.figures import Figures
from bench.options import Options
from bench.processes import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A system: `starts` in seconds, the first on no data; memory by process."""

    label: str
    starts: Sequence[float]
    idle: Mapping[str, Memory]
    loaded: Mapping[str, Memory]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`exact` by what was compared; `machine` by what describes it."""

    options: Options
    machine: Mapping[str, str]
    systems: Sequence[Weighed]
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
