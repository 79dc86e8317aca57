"""The systems of a run, one for each way in which services call each other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import events
from bench.callers import SLOW_PROVIDER, Caller, register
from bench.cases import Case
from bench.exactness import Exactness, Pool
from bench.options import MULTIPLEXED, Options
from bench.processes import Memory, memory
from bench.rounds import Rounds, sound
from bench.rows import SLOW_MS, Callers
from bench.system import NO_LIMITS, System, up

Tell = Callable[[str], None]
_SETTINGS = {
    **NO_LIMITS,
    # Of what takes long, those at the end of a load wait for all the others.
    "deadlines.edge": "60s",
    # Callers that log in come from an address each.
    "gateway.trusted-proxies": "127.0.0.1/32",
    f"stubs.{SLOW_PROVIDER}.faults.delay": f"{SLOW_MS}ms",
}
_CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A system that is up, and who calls it; `label` tells it from another.

    `starts` are seconds, the first on no data; `idle` is before any load.
    """

    label: str
    system: System
    callers: Callers
    other: Caller
    starts: Sequence[float]
    idle: Mapping[str, Memory]

    def exactness(self, pool: Pool, rounds: Rounds, name: str, options: Options) -> Exactness:
        """Whether the hot pool, as it once stood, lost what the loads of that name spent."""
        loads = [sample for samples in rounds for sample in samples if sample.case == name]
        calls = sum(sample.load.answered for sample in loads)
        left_open = sum(sample.connections for sample in loads) if options.wrk else 0
        return pool.against(self.system, self.callers.hot, calls=calls, open_calls=left_open)


@contextmanager
def started(options: Options, folder: Path, tell: Tell) -> Iterator[list[Way]]:
    """All systems of the run, with their callers, whose pools are there."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(_started(name, options, folder / name, tell))
            for name in options.ways
        ]


@contextmanager
def _started(name: str, options: Options, folder: Path, tell: Tell) -> Iterator[Way]:
    multiplex = str(name == MULTIPLEXED).lower()
    settings = {**_SETTINGS, "mesh.multiplex": multiplex, **options.settings}
    starts = []
    folder.mkdir()
    for _ in range(options.starts - 1):
        tell(f"{name}: starting on no data")
        with up(folder, options.profile, settings, options.workers) as system:
            starts.append(system.start_seconds)
    if "report" in options.cases:
        tell(f"{name}: writing {options.events} events")
        events.write(folder / "data", options.events)
    tell(f"{name}: starting")
    with up(folder, options.profile, settings, options.workers) as system:
        idle = weigh(system)
        tell(f"{name}: registering {options.callers} callers")
        *many, hot, other = register(system.url, options.callers + 2)
        yield Way(
            label="" if name == options.ways[0] else name,
            system=system,
            callers=Callers(many=many, hot=hot),
            other=other,
            starts=[*starts, system.start_seconds],
            idle=idle,
        )


def fill(way: Way) -> None:
    """Makes the pools, by a first consume of each."""
    callers, system = way.callers, way.system
    requests = (callers.hot.consume(), way.other.consume(), *callers.each(Caller.consume))
    case = Case(name="pools", port=system.port, pids=system.pids, requests=requests)
    sound(case, connections=1, count=2)
    sound(case, connections=_CONNECTIONS, count=len(requests))


def weigh(system: System) -> dict[str, Memory]:
    """Its processes, now."""
    return {name: memory(pid) for name, pid in system.pids.items()}
