"""What is measured, and what with what is compared."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from bench.callers import PROVIDERS, SLOW_PROVIDER, Caller, status
from bench.plan import Request

BARE_GET, BARE_POST = "bare GET", "bare POST"
BARE = (BARE_GET, BARE_POST)
FASTAPI_GET, FASTAPI_POST = "FastAPI GET", "FastAPI POST"
STATUS, QUOTA, CONSUME, HOT = "status", "quota", "consume", "consume, one pool"
SLOW, HOT_SLOW = "consume, 50 ms", "consume, one pool, 50 ms"
RESERVE, LOGIN = "reserve + settle", "login"
REPORT, PURCHASE = "report", "purchase"
SLOW_MS = 50
Requests = Callable[["Callers"], Iterable[Request]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Who calls: many; one whose pool all of a load is on."""

    many: Sequence[Caller]
    hot: Caller

    def each(self, request: Callable[[Caller, str], Request]) -> tuple[Request, ...]:
        """The request of every caller for each of its pools."""
        return tuple(request(caller, name) for name in PROVIDERS for caller in self.many)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of call; `calls` are made in place of a time where each takes long.

    `yardsticks` answer the same method, bare uvicorn first. `pair` is how many
    calls are one piece of work.
    """

    name: str
    requests: Requests
    yardsticks: tuple[str, str]
    calls: int = 0
    pair: int = 1


_GET, _POST = (BARE_GET, FASTAPI_GET), (BARE_POST, FASTAPI_POST)
# As --cases names them, in the order in which they are measured.
ROWS = {
    "status": Row(name=STATUS, requests=lambda _: [status()], yardsticks=_GET),
    "quota": Row(name=QUOTA, requests=lambda us: us.each(Caller.quota), yardsticks=_GET),
    "consume": Row(name=CONSUME, requests=lambda us: us.each(Caller.consume), yardsticks=_POST),
    "hot": Row(name=HOT, requests=lambda us: [us.hot.consume()], yardsticks=_POST),
    "slow": Row(
        name=SLOW,
        requests=lambda us: [caller.consume(SLOW_PROVIDER) for caller in us.many],
        yardsticks=_POST,
    ),
    "hot-slow": Row(
        name=HOT_SLOW,
        requests=lambda us: [us.hot.consume(SLOW_PROVIDER)],
        yardsticks=_POST,
    ),
    "reserve": Row(
        name=RESERVE, requests=lambda us: us.each(Caller.reserve), yardsticks=_POST, pair=2
    ),
    "purchase": Row(
        name=PURCHASE, requests=lambda us: us.each(Caller.purchase), yardsticks=_POST, calls=200
    ),
    "login": Row(
        name=LOGIN,
        requests=lambda us: [caller.login() for caller in islice(us.many, 64)],
        yardsticks=_POST,
        calls=16,
    ),
    "report": Row(
        name=REPORT,
        requests=lambda us: [us.hot.report()],
        yardsticks=_GET,
        calls=4,
    ),
}


def chosen(keys: Iterable[str]) -> list[Row]:
    """The rows, in their order."""
    wanted = set(keys)
    return [row for key, row in ROWS.items() if key in wanted]


def yardsticks(rows: Iterable[Row]) -> list[str]:
    """What they are compared with, each once."""
    return list(dict.fromkeys(name for row in rows for name in row.yardsticks))
