"""The rows as loads on what was started."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.plan import Request
from bench.rows import BARE_GET, BARE_POST, FASTAPI_GET, FASTAPI_POST, Callers, Row
from bench.system import System

# Which of the apps it is, and whether it is asked for quotas.
_YARDSTICKS = {
    BARE_GET: ("bare", True),
    FASTAPI_GET: ("fastapi", True),
    BARE_POST: ("bare", False),
    FASTAPI_POST: ("fastapi", False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The same requests over and over, at a port, and the processes that work for them.

    So many `calls` are one load; 0 is as many as there is time for.
    """

    name: str
    port: int
    pids: Mapping[str, int]
    requests: tuple[Request, ...]
    calls: int = 0


def beside(
    names: Iterable[str], apps: Mapping[str, tuple[int, int]], callers: Callers
) -> Iterator[Case]:
    """These yardsticks; `apps` maps those of bench.yardsticks to ports and pids."""
    for name in names:
        app, get = _YARDSTICKS[name]
        port, pid = apps[app]
        many = callers.many
        requests = tuple(each.quota() if get else each.consume() for each in many)
        yield Case(name=name, port=port, pids={app: pid}, requests=requests)


def ours(rows: Sequence[Row], way: str, system: System, callers: Callers) -> Iterator[Case]:
    """The rows on a system; `way` tells them from those of another."""
    for row in rows:
        yield Case(
            name=named(row, way),
            port=system.port,
            pids=system.pids,
            requests=tuple(row.requests(callers)),
            calls=row.calls,
        )


def named(row: Row, way: str) -> str:
    """The row's name on a system, which has none where there is only one."""
    return f"{row.name}, {way}" if way else row.name
