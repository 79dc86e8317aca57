"""One case under load for a while, and what its processes spent on it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.cases import Case
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
    `busy` their share of the core during the load.
    """

    case: str
    connections: int
    load: Load
    cpu_us: Mapping[str, float]
    busy: float
    settled: float

    @property
    def cpu(self) -> float:
        """CPU microseconds a call of all processes together."""
        return sum(self.cpu_us.values())


def measure(case: Case, connections: int, seconds: int, drive: Drive) -> Sample:
    """Loads the case, then waits for the work that it has left behind."""
    before = _spent(case)
    load = drive(
        Plan(port=case.port, requests=case.requests, connections=connections, seconds=seconds)
    )
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
    )


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
