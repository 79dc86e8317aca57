"""Calls that go on while something is done to the system, each with its time and its answer."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.e2e.system import held

# Longer than any deadline of the systems that are asked.
CALL_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One call; times are of time.monotonic()."""

    ask: "Ask"
    began: float
    ended: float
    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked, again and again; each caller has a user of its own."""

    method: str
    url: str
    json: dict[str, Any] | None = None
    params: dict[str, str] | None = None
    headers: dict[str, str] | None = None


@dataclass
class Load:
    """The answers so far, in the order in which they came."""

    answers: list[Answer] = field(default_factory=list)

    def of(self, since: float = 0.0, until: float = float("inf")) -> list[Answer]:
        """The calls that began in this time."""
        return [each for each in self.answers if since <= each.began < until]

    def statuses(self, since: float = 0.0, until: float = float("inf")) -> set[int]:
        """What these were answered."""
        return {each.status for each in self.of(since, until)}

    def failed(self) -> list[Answer]:
        """Calls that did not succeed."""
        return [each for each in self.answers if each.status != 200]


def consume(base: str, user: str, *, tokens: int = 3, provider: str = "openai") -> Ask:
    """A consume of this user."""
    body = {"userId": user, "provider": provider, "tokens": tokens}
    return Ask(method="POST", url=f"{base}/api/v1/tokens/consume", json=body)


def quota(base: str, user: str, *, provider: str = "openai") -> Ask:
    """A read of this user's pool, which is safe to repeat."""
    params = {"userId": user, "provider": provider}
    return Ask(method="GET", url=f"{base}/api/v1/tokens/quota", params=params)


def users(count: int) -> list[str]:
    """Users that nobody has heard of."""
    return [str(uuid.uuid4()) for _ in range(count)]


@asynccontextmanager
async def running(asks: Sequence[Ask], *, pause: float = 0.0) -> AsyncIterator[Load]:
    """One caller for each ask, until the block ends; what is under way then is waited for."""
    load, stop = Load(), asyncio.Event()
    async with connected() as session, asyncio.TaskGroup() as tasks:
        for ask in asks:
            tasks.create_task(_go_on(session, ask, load, stop, pause))
        try:
            yield load
        finally:
            stop.set()


async def each(asks: Sequence[Ask], *, at_once: int) -> Load:
    """Every ask once."""
    load, left = Load(), iter(asks)

    async def caller(session: aiohttp.ClientSession) -> None:
        for ask in left:
            load.answers.append(await call(session, ask))

    async with connected() as session, asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(caller(session))
    return load


async def holds(condition: Callable[[], bool], seconds: float) -> None:
    """Returns when it holds; fails when it does not within the time. It may block."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(held, condition):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.05)


async def _go_on(
    session: aiohttp.ClientSession, ask: Ask, load: Load, stop: asyncio.Event, pause: float
) -> None:
    while not stop.is_set():
        load.answers.append(await call(session, ask))
        await asyncio.sleep(pause)


async def call(session: aiohttp.ClientSession, ask: Ask) -> Answer:
    """Asks once."""
    began = time.monotonic()
    async with session.request(
        ask.method, ask.url, json=ask.json, params=ask.params, headers=ask.headers
    ) as response:
        body = await response.json()
        return Answer(
            ask=ask,
            began=began,
            ended=time.monotonic(),
            status=response.status,
            headers={name.lower(): text for name, text in response.headers.items()},
            body=body,
        )


def connected() -> aiohttp.ClientSession:
    """A client for any number of callers, to be closed."""
    limits = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(
        connector=limits, timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)
    )
