"""One case under load for a while, and what its processes spent on it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bench import client
from bench.cases import Case
from bench.instructions import Count, counting
from bench.plan import Load, Plan
from bench.processes import cpu_seconds

Drive = Callable[[Plan], Load]
_LOOK_SECONDS = 0.1
# Below it, processes only tick over.
_IDLE_SHARE = 0.2
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A load and its cost: CPU microseconds a call by process, whole work included.

    `settled` is how long after the load the processes still worked, in seconds;
    `busy` their share of a core during the load. `instructions` a call of all
    processes, 0 where they are not counted.
    """

    case: str
    connections: int
    load: Load
    cpu_us: Mapping[str, float]
    busy: float
    settled: float
    instructions: float = 0.0

    @property
    def cpu(self) -> float:
        """CPU microseconds a call of all processes together."""
        return sum(self.cpu_us.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Loads a case, then waits for the work that it has left behind."""

    seconds: int
    drive: Drive
    instructions: bool = False

    def __call__(self, case: Case, connections: int) -> Sample:
        """What that took."""
        with self._counted(case) as count:
            before = _spent(case)
            load = self._load(case, connections)
            busy = sum(_spent(case).values()) - sum(before.values())
            settled = settle(case)
            after = _spent(case)
        calls = max(1, load.answered)
        return Sample(
            case=case.name,
            connections=connections,
            load=load,
            cpu_us={name: (after[name] - before[name]) * 1e6 / calls for name in before},
            busy=busy / load.seconds if load.seconds else 0.0,
            settled=settled,
            instructions=count.total / calls,
        )

    def _load(self, case: Case, connections: int) -> Load:
        # Of what takes long, wrk would leave most unanswered when its time is up.
        count = max(case.calls, connections) if case.calls else 0
        drive = client.drive if count else self.drive
        return drive(
            Plan(
                port=case.port,
                requests=case.requests,
                connections=connections,
                seconds=self.seconds,
                count=count,
            )
        )

    @contextmanager
    def _counted(self, case: Case) -> Iterator[Count]:
        if not self.instructions:
            yield Count()
            return
        with counting(case.pids.values()) as count:
            yield count


def settle(case: Case) -> float:
    """Waits until the case's processes are idle; the seconds that they still worked."""
    started = time.monotonic()
    worked = started
    last = sum(_spent(case).values())
    while worked - started < _SETTLE_SECONDS:
        time.sleep(_LOOK_SECONDS)
        now = sum(_spent(case).values())
        if now - last <= _IDLE_SHARE * _LOOK_SECONDS:
            break
        last, worked = now, time.monotonic()
    return worked - started


def _spent(case: Case) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in case.pids.items()}
