"""What the rounds say together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.measure import Sample
from bench.spread import Spread

Figure = Callable[[Sample], float]


def throughput(sample: Sample) -> float:
    """Answers a second."""
    return sample.load.per_second


def p50(sample: Sample) -> float:
    """Milliseconds."""
    return sample.load.p50_ms


def p99(sample: Sample) -> float:
    """Milliseconds."""
    return sample.load.p99_ms


def cpu(sample: Sample) -> float:
    """Microseconds a call, all processes."""
    return sample.cpu


def instructions(sample: Sample) -> float:
    """A call, all processes."""
    return sample.instructions


@dataclass(frozen=True, slots=True)
class Figures:
    """The samples of all rounds; ratios are taken within a round, then spread."""

    rounds: Sequence[Sequence[Sample]]

    def _pick(self, case: str, connections: int) -> list[Sample]:
        return [
            sample
            for samples in self.rounds
            for sample in samples
            if (sample.case, sample.connections) == (case, connections)
        ]

    def spread(self, case: str, connections: int, figure: Figure) -> Spread:
        """A figure as it is."""
        return Spread.of(figure(sample) for sample in self._pick(case, connections))

    def ratio(self, case: str, yardstick: str, connections: int, figure: Figure) -> Spread:
        """A figure as a multiple of the yardstick's."""
        return Spread.of(self.ratios(case, yardstick, connections, figure))

    def ratios(self, case: str, yardstick: str, connections: int, figure: Figure) -> list[float]:
        """The same, of each round."""
        ours, theirs = self._pick(case, connections), self._pick(yardstick, connections)
        return [_times(figure(a), figure(b)) for a, b in zip(ours, theirs, strict=True)]

    def has(self, case: str, connections: int) -> bool:
        """Whether it was measured at so many connections."""
        return bool(self._pick(case, connections))

    def cpu_of(self, case: str, connections: int, process: str) -> Spread:
        """CPU microseconds a call of one process."""
        return self.spread(case, connections, lambda sample: sample.cpu_us[process])

    def problems(self) -> list[str]:
        """What went wrong with which sample."""
        return [
            f"{sample.case} at {sample.connections}: {sample.load.problem}"
            for samples in self.rounds
            for sample in samples
            if sample.load.problem
        ]


def _times(ours: float, theirs: float) -> float:
    # What cost nothing measurable can be no yardstick.
    return ours / theirs if theirs else math.nan
