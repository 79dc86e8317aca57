"""What is measured, and what with what is compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.callers import Caller, status
from bench.plan import Request
from bench.system import System

EDGE = "edge"
BARE_GET, BARE_POST = "bare GET", "bare POST"
FASTAPI_GET, FASTAPI_POST = "FastAPI GET", "FastAPI POST"
STATUS, QUOTA, CONSUME, HOT = "status", "quota", "consume", "consume, one pool"
# The yardsticks of each case, bare uvicorn first.
YARDSTICKS: Mapping[str, tuple[str, str]] = {
    STATUS: (BARE_GET, FASTAPI_GET),
    QUOTA: (BARE_GET, FASTAPI_GET),
    CONSUME: (BARE_POST, FASTAPI_POST),
    HOT: (BARE_POST, FASTAPI_POST),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The same requests over and over, at a port, and the processes that work for them."""

    name: str
    port: int
    pids: Mapping[str, int]
    requests: tuple[Request, ...]


def cases(
    system: System,
    yardsticks: Mapping[str, tuple[int, int]],
    callers: Sequence[Caller],
    hot: Caller,
) -> list[Case]:
    """All of them; `yardsticks` maps names to ports and pids."""
    quotas = tuple(caller.quota() for caller in callers)
    consumes = tuple(caller.consume() for caller in callers)

    def beside(name: str, yardstick: str, requests: tuple[Request, ...]) -> Case:
        port, pid = yardsticks[yardstick]
        return Case(name=name, port=port, pids={yardstick: pid}, requests=requests)

    def edge(name: str, requests: tuple[Request, ...]) -> Case:
        return Case(name=name, port=system.port, pids=system.pids, requests=requests)

    return [
        beside(BARE_GET, "bare", quotas),
        beside(FASTAPI_GET, "fastapi", quotas),
        edge(STATUS, (status(),)),
        edge(QUOTA, quotas),
        beside(BARE_POST, "bare", consumes),
        beside(FASTAPI_POST, "fastapi", consumes),
        edge(CONSUME, consumes),
        edge(HOT, (hot.consume(),)),
    ]
