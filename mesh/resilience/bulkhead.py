"""A bound on how many calls one target takes at once, and on how many wait for it."""

import asyncio


class BulkheadFullError(Exception):
    """No slot came free in time, or too many wait already."""


class Bulkhead:
    """`limit` calls at once; up to `queue` more wait, first come, first served."""

    def __init__(self, *, limit: int, queue: int) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._queue = queue
        self._waiting = 0

    def enter(self, within: float) -> "_Slot":
        """A slot for a block, waited for at most `within` seconds. Raises BulkheadFullError."""
        return _Slot(self, within)

    async def take(self, within: float) -> None:
        """A slot, which is to be given back. Raises BulkheadFullError."""
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

    def give_back(self) -> None:
        """The slot is the next one's."""
        self._slots.release()


class _Slot:
    """What contextlib would make of a generator takes three times as long."""

    __slots__ = ("_bulkhead", "_within")

    def __init__(self, bulkhead: Bulkhead, within: float) -> None:
        self._bulkhead, self._within = bulkhead, within

    async def __aenter__(self) -> None:
        await self._bulkhead.take(self._within)

    async def __aexit__(self, *_error: object) -> None:
        self._bulkhead.give_back()
