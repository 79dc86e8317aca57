"""Consumes under an Idempotency-Key, which their callers repeat until they are answered."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp

from tests.e2e.parts import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """One request with its key, and what it was answered each time; the last was a success."""

    ask: load.Ask
    answers: list[load.Answer] = field(default_factory=list)

    @property
    def user(self) -> str:
        """Whose tokens it takes."""
        assert self.ask.json is not None
        return str(self.ask.json["userId"])

    @property
    def refused(self) -> list[load.Answer]:
        """All answers but the last."""
        return self.answers[:-1]


@asynccontextmanager
async def running(asks: Sequence[load.Ask]) -> AsyncIterator[list[Keyed]]:
    """One caller for each ask, with a new key for each request, until the block ends.

    A request that is under way then is repeated until it is answered, too.
    """
    done: list[Keyed] = []
    stop = asyncio.Event()
    async with load.connected() as session, asyncio.TaskGroup() as tasks:
        for ask in asks:
            tasks.create_task(_go_on(session, ask, done, stop))
        try:
            yield done
        finally:
            stop.set()


async def _go_on(
    session: aiohttp.ClientSession, ask: load.Ask, done: list[Keyed], stop: asyncio.Event
) -> None:
    while not stop.is_set():
        one = Keyed(ask=replace(ask, headers={"Idempotency-Key": str(uuid.uuid4())}))
        await _insist(session, one)
        done.append(one)


async def _insist(session: aiohttp.ClientSession, one: Keyed) -> None:
    while True:
        answer = await load.call(session, one.ask)
        one.answers.append(answer)
        if answer.status == 200:
            return
        # As it was told to wait; a 502 or a 504 tells nothing of that.
        await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
