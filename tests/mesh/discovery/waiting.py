"""Waiting for what other processes do."""

import asyncio
from collections.abc import Awaitable, Callable

# For what takes a second or two, on a machine that is busy with other tests; only a failure
# waits for so long.
SOON_SECONDS = 60.0


async def until(condition: Callable[[], bool], seconds: float = SOON_SECONDS) -> None:
    """Returns when the condition holds. Raises TimeoutError."""

    async def holds() -> bool:
        return condition()

    await until_told(holds, seconds)


async def until_told(
    condition: Callable[[], Awaitable[bool]], seconds: float = SOON_SECONDS
) -> None:
    """Returns when somebody who is asked says that the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)
