"""What the edge aims at; met or missed, never a gate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.cases import CONSUME, QUOTA, YARDSTICKS
from bench.figures import Figures, throughput
from bench.processes import Memory
from bench.spread import Spread
from bench.system import UP

_OF_FASTAPI = {QUOTA: 0.4, CONSUME: 0.2}
# Less than this of the throughput at few connections is a collapse.
_KEPT = 0.8
_MIB = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One aim and what came of it."""

    name: str
    aim: str
    measured: str
    met: bool


def aims(
    figures: Figures, connections: tuple[int, ...], memory: Mapping[str, Memory]
) -> Iterator[Aim]:
    """All of them, judged by the medians."""
    for case, least in _OF_FASTAPI.items():
        for many in connections:
            ratio = figures.ratio(case, YARDSTICKS[case][1], many, throughput)
            name = f"{case} at {many}, x FastAPI"
            yield _at_least(name, least, ratio)
        if len(connections) > 1:
            few, many = connections[0], connections[-1]
            name = f"{case} at {many}, x its own at {few}"
            yield _at_least(name, _KEPT, figures.growth(case, few, many))
    together = services(memory)
    yield Aim(
        name="five processes after load, PSS",
        aim=f"< {_MIB:.0f} MiB",
        measured=f"{together.pss:.0f} MiB (RSS {together.rss:.0f})",
        met=together.pss < _MIB,
    )


def services(memory: Mapping[str, Memory]) -> Memory:
    """The five together, without their supervisor."""
    five = [each for name, each in memory.items() if name != UP]
    return Memory(sum(each.rss for each in five), sum(each.pss for each in five))


def _at_least(name: str, least: float, ratio: Spread) -> Aim:
    return Aim(name=name, aim=f">= {least:.1f}", measured=ratio.text(2), met=ratio.median >= least)
