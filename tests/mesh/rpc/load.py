"""Callers that never stop, and what became of each call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import Method
from tests.mesh.rpc.serving import STATUS

PATIENCE_SECONDS = 30.0


@dataclass(kw_only=True)
class Load:
    """Times are the loop's. `answered`: when, and which instance by its version.

    `failed`: when it began, when it ended, and with what.
    """

    answered: list[tuple[float, str]] = field(default_factory=list)
    failed: list[tuple[float, float, AppError]] = field(default_factory=list)
    in_flight: int = 0

    async def answers_of(self, version: str, since: float) -> float:
        """When this instance answered a call first from then on."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for when, who in reversed(self.answered[-100:]):
                    if who == version and when >= since:
                        return when
                await asyncio.sleep(0.005)

    async def goes_on(self, calls: int) -> None:
        """Returns after that many more answers."""
        before = len(self.answered)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if len(self.answered) >= before + calls:
                    return
                await asyncio.sleep(0.005)


@asynccontextmanager
async def under_load(
    channel: Channel, callers: int = 16, method: Method[Any, Any] = STATUS
) -> AsyncIterator[Load]:
    """That many callers at once, each calling again as soon as it is answered or refused."""
    load, stop = Load(), asyncio.Event()
    calling = [asyncio.ensure_future(_call(channel, method, load, stop)) for _ in range(callers)]
    try:
        yield load
    finally:
        stop.set()
        await asyncio.gather(*calling)


async def _call(
    channel: Channel, method: Method[Any, Any], load: Load, stop: asyncio.Event
) -> None:
    now = asyncio.get_running_loop().time
    while not stop.is_set():
        begun = now()
        load.in_flight += 1
        try:
            answer = await channel.unary(method, method.request(), timeout=PATIENCE_SECONDS)
        except AppError as error:
            load.failed.append((begun, now(), error))
            # A refusal at once is no load, and would keep others from running.
            await asyncio.sleep(0.01)
        else:
            load.answered.append((now(), getattr(answer, "version", "")))
        finally:
            load.in_flight -= 1
