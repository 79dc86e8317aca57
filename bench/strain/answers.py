"""Answers of a load, each with its time."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.plan import OK
from bench.spread import percentile

# What a client is asked to come back from later.
REFUSALS = frozenset((429, 503))
_STEP_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`at` is when it came, in seconds since the load began; `seconds` how long it took."""

    at: float
    seconds: float
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All of a load that lasted `seconds`; `broken` are connections that were lost."""

    all: Sequence[Answer]
    seconds: float
    broken: int = 0

    @property
    def goodput(self) -> float:
        """What was done a second; what was still answered after the end is not of it."""
        done = sum(one.status == OK and one.at <= self.seconds for one in self.all)
        return done / self.seconds

    @property
    def statuses(self) -> Mapping[int, int]:
        """How many of each."""
        return dict(sorted(Counter(one.status for one in self.all).items()))

    @property
    def done_p99_ms(self) -> float:
        """Of what was done."""
        return _p99_ms(self.all, lambda one: one.status == OK)

    @property
    def refused_p99_ms(self) -> float:
        """Of refusals; 0 when there are none."""
        return _p99_ms(self.all, lambda one: one.status in REFUSALS)

    def unexpected(self, expected: Iterable[int]) -> str:
        """What is none of these, empty when all are."""
        others = {status: n for status, n in self.statuses.items() if status not in set(expected)}
        told = [f"{count} answers of {status}" for status, count in others.items()]
        return ", ".join([*told, *([f"{self.broken} connections broke"] if self.broken else [])])


def worst_half_ms(answers: Answers) -> float:
    """The highest p99 of its half seconds."""
    return max(_halves_ms(answers), default=0.0)


def back_after(answers: Answers, normal_ms: float) -> float:
    """From when on each half second's p99 is normal, in seconds; infinite when never."""
    halves = _halves_ms(answers)
    late = [step for step, p99_ms in enumerate(halves) if not 0 < p99_ms <= normal_ms]
    since = late[-1] + 1 if late else 0
    return since * _STEP_SECONDS if since < len(halves) else float("inf")


def _halves_ms(answers: Answers) -> list[float]:
    """The p99 of each half second."""
    steps = range(int(answers.seconds / _STEP_SECONDS))
    return [_p99_ms(answers.all, _within(step)) for step in steps]


def _within(step: int) -> Callable[[Answer], bool]:
    return lambda one: step <= one.at / _STEP_SECONDS < step + 1 and one.status == OK


def _p99_ms(answers: Iterable[Answer], chosen: Callable[[Answer], bool]) -> float:
    return percentile(sorted(one.seconds for one in answers if chosen(one)), 99) * 1000
