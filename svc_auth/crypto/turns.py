"""Turns at what few can do at once, fair between those who ask."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from leaky.common.v1.reason_pb2 import REASON_OVERLOADED
from mesh.errors import AppError

WAITING = 64
EACH = 8


class Turns:
    """`at_once` at a time; who asks again waits behind those who have not had a turn.

    `waiting` bounds all that wait, `each` those of one asker: who is over is
    refused at once, and what somebody asks a thousand times keeps nobody else.
    """

    def __init__(self, at_once: int, *, waiting: int = WAITING, each: int = EACH) -> None:
        self._free = at_once
        self._most = waiting
        self._each = each
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._waiting = 0

    @asynccontextmanager
    async def turn(self, asker: str) -> AsyncIterator[None]:
        """One turn. Raises OVERLOADED when too many wait."""
        if self._free and not self._waiting:
            self._free -= 1
        else:
            await self._wait(asker)
        try:
            yield
        finally:
            self._free += 1
            self._next()

    async def _wait(self, asker: str) -> None:
        queue = self._queues.get(asker, deque())
        if self._waiting >= self._most or len(queue) >= self._each:
            raise AppError(REASON_OVERLOADED, "too many passwords at once", retry_after=1)
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        self._queues[asker] = queue
        self._waiting += 1
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                # The turn had just been given.
                self._free += 1
            else:
                self._leave(asker, mine)
            self._next()
            raise

    def _leave(self, asker: str, mine: "asyncio.Future[None]") -> None:
        queue = self._queues[asker]
        queue.remove(mine)
        self._waiting -= 1
        if not queue:
            del self._queues[asker]

    def _next(self) -> None:
        while self._free and self._queues:
            asker, queue = self._queues.popitem(last=False)
            first = queue.popleft()
            self._waiting -= 1
            if queue:
                self._queues[asker] = queue
            self._free -= 1
            first.set_result(None)
