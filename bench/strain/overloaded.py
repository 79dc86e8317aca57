"""What came of an overload."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import mean

from bench.plan import OK
from bench.strain.answers import REFUSALS, Answers, back_after, worst_half_ms

LIGHT, PEAK, OVER, AFTER, PEAK_AGAIN = "light", "peak", "overload", "light again", "peak again"
BEFORE = "before"
# Of the worst half second's p99 of the light load before; half seconds of one load differ.
NORMAL = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A load, and what it took of the CPU, in all processes."""

    answers: Answers
    cpu_seconds: float

    @property
    def cpu_us(self) -> float:
        """Of each call that was done; refusals are part of its price."""
        return self.cpu_seconds * 1e6 / max(1, self.answers.statuses.get(OK, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overloaded:
    """Loads by name, with `mesh.max-in-flight` at `limit`; RSS in MiB by when, then by service.

    RSS during the overload is the most that was seen.
    """

    limit: int
    loads: Mapping[str, Loaded]
    rss: Mapping[str, Mapping[str, float]]

    @property
    def over(self) -> Answers:
        """The overload's."""
        return self.loads[OVER].answers

    @property
    def share(self) -> float:
        """The overload's goodput as a share of the peak before and after it."""
        return self.over.goodput / self._peak(lambda load: load.answers.goodput)

    @property
    def cost(self) -> float:
        """CPU of each call that was done, as a multiple of that at the peak.

        It counts no time that other work had, and a machine that is full does as much
        less as it is more.
        """
        return self.loads[OVER].cpu_us / self._peak(lambda load: load.cpu_us)

    def _peak(self, figure: Callable[[Loaded], float]) -> float:
        return mean(figure(self.loads[name]) for name in (PEAK, PEAK_AGAIN))

    @property
    def back_after(self) -> float:
        """When a light load was as before, in seconds since the overload ended."""
        normal_ms = NORMAL * worst_half_ms(self.loads[LIGHT].answers)
        return back_after(self.loads[AFTER].answers, normal_ms)

    def growth(self, service: str) -> float:
        """The most that the service held, as a multiple of what it held before."""
        return self.rss[OVER][service] / self.rss[BEFORE][service]

    def problems(self) -> Iterator[str]:
        """Why the figures mean nothing."""
        for name, load in self.loads.items():
            if problem := load.answers.unexpected({OK, *REFUSALS}):
                yield f"{self.limit} in flight, {name}: {problem}"
