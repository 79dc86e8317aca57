"""What the edge aims at; met or missed, never a gate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.figures import Figures, p99, throughput
from bench.processes import Memory
from bench.rows import CONSUME, FASTAPI_GET, FASTAPI_POST, QUOTA, RESERVE
from bench.system import UP

# There are more than five then.
SECOND_GATEWAY = "gateway.2"
_MIB = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One aim and what came of it."""

    name: str
    aim: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """At least a multiple of a yardstick's throughput, with everything of ours on so many cores."""

    case: str
    connections: int
    cores: int
    least: float
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Swift:
    """A 99th percentile below so many milliseconds."""

    case: str
    connections: int
    cores: int
    below_ms: float


WANTED = (
    Wanted(case=RESERVE, connections=16, cores=1, least=0.7, of=FASTAPI_POST),
    Wanted(case=RESERVE, connections=64, cores=1, least=1.2, of=FASTAPI_POST),
    Wanted(case=QUOTA, connections=64, cores=1, least=1.0, of=FASTAPI_GET),
    Wanted(case=CONSUME, connections=16, cores=2, least=0.4, of=FASTAPI_POST),
    Wanted(case=CONSUME, connections=64, cores=2, least=0.4, of=FASTAPI_POST),
)
SWIFT = (Swift(case=CONSUME, connections=64, cores=2, below_ms=60.0),)


def aims(figures: Figures, cores: int, memory: Mapping[str, Memory]) -> Iterator[Aim]:
    """Those that the run has measured, judged by the medians."""
    for each in (*WANTED, *SWIFT):
        if each.cores == cores and figures.has(each.case, each.connections):
            yield _judged(each, figures)
    if SECOND_GATEWAY in memory:
        return
    together = services(memory)
    yield Aim(
        name="five processes after load, PSS",
        aim=f"< {_MIB:.0f} MiB",
        measured=f"{together.pss:.0f} MiB (RSS {together.rss:.0f})",
        met=together.pss < _MIB,
    )


def services(memory: Mapping[str, Memory]) -> Memory:
    """All together, without their supervisor."""
    five = [each for name, each in memory.items() if name != UP]
    return Memory(sum(each.rss for each in five), sum(each.pss for each in five))


def _judged(one: Wanted | Swift, figures: Figures) -> Aim:
    name = f"{one.case} at {one.connections}, {one.cores} core{'s' * (one.cores > 1)}"
    if isinstance(one, Wanted):
        ratio = figures.ratio(one.case, one.of, one.connections, throughput)
        return Aim(
            name=f"{name}, x FastAPI",
            aim=f">= {one.least:.1f}",
            measured=ratio.text(2),
            met=ratio.median >= one.least,
        )
    spread = figures.spread(one.case, one.connections, p99)
    return Aim(
        name=f"{name}, p99",
        aim=f"< {one.below_ms:.0f} ms",
        measured=f"{spread.text(1)} ms",
        met=spread.median < one.below_ms,
    )
