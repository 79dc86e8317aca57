"""A bound on how many calls one target takes at once, and on how many wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BulkheadFullError(Exception):
    """No slot came free in time, or too many wait already."""


class Bulkhead:
    """`limit` calls at once; up to `queue` more wait, first come, first served."""

    def __init__(self, *, limit: int, queue: int) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._queue = queue
        self._waiting = 0

    @asynccontextmanager
    async def enter(self, within: float) -> AsyncIterator[None]:
        """A slot, waited for at most `within` seconds. Raises BulkheadFullError."""
        await self._take(within)
        try:
            yield
        finally:
            self._slots.release()

    async def _take(self, within: float) -> None:
        # locked() is also true while earlier waiters have yet to take a free slot.
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self._waiting >= self._queue:
            raise BulkheadFullError("too many wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(within):
                await self._slots.acquire()
        except TimeoutError:
            raise BulkheadFullError("no slot came free in time") from None
        finally:
            self._waiting -= 1
