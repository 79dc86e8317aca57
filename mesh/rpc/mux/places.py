"""How many may be in flight at once, who waits for a place, and who is sent away."""

import asyncio
import math
from collections import deque

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED, REASON_OVERLOADED
from mesh.errors import AppError
from mesh.rpc.mux.lost import LostError
from mesh.rpc.mux.metrics import QUEUED

# More are refused at once.
MOST_WAITING = 1_024
# So many times as many as may be in flight: who came after them would wait for its deadline.
ROUNDS = 16
# More than may have a place anywhere.
_FULL = 1 << 16


class Places:
    """First come, first served; `most` may change."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def load(self) -> int:
        """Those who have a place and those who wait for one."""
        return self.taken + len(self._waiting)

    @property
    def rank(self) -> int:
        """Where it stands among others, the lowest first: by its load, and if full, last."""
        return self.load if self.taken < self.most else _FULL + self.load

    async def take(self, deadline: float) -> None:
        """A place; AppError OVERLOADED or DEADLINE_EXCEEDED, LostError once closed."""
        if not self.take_nowait():
            await self._wait(deadline)

    def take_nowait(self) -> bool:
        """Takes a place if one is free; LostError once closed."""
        if self._closed:
            raise LostError(sent=False)
        if self.taken >= self.most:
            return False
        self._take()
        return True

    def _take(self) -> None:
        if not self.taken:
            self._empty.clear()
        self.taken += 1

    async def _wait(self, deadline: float) -> None:
        if len(self._waiting) >= min(MOST_WAITING, ROUNDS * self.most):
            raise AppError(REASON_OVERLOADED, "too many calls wait for the service", retry_after=1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        QUEUED.inc()
        try:
            async with asyncio.timeout_at(None if math.isinf(deadline) else deadline):
                await turn
        except TimeoutError:
            self._leave(turn)
            raise AppError(REASON_DEADLINE_EXCEEDED, "deadline exceeded") from None
        except BaseException:
            self._leave(turn)
            raise
        finally:
            QUEUED.dec()

    def _leave(self, turn: "asyncio.Future[None]") -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            # It had been given a place already.
            self.give_back()

    def give_back(self) -> None:
        """The place is the next one's."""
        self.taken -= 1
        if self._waiting:
            self.admit()
        if not self.taken:
            self._empty.set()

    def admit(self) -> None:
        """Gives free places to those who wait."""
        while self._waiting and self.taken < self.most:
            turn = self._waiting.popleft()
            if not turn.done():
                self._take()
                turn.set_result(None)

    def close(self) -> None:
        """Nobody gets a place any more; those who wait get LostError."""
        self._closed = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(LostError(sent=False))

    async def empty(self) -> None:
        """Returns when nobody has one."""
        await self._empty.wait()
