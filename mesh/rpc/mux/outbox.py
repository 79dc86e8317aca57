"""Frames that wait to be written: what gathers in one turn of the loop goes as one."""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from leaky.mesh.v1.mux_service_pb2 import Call, Frame
from mesh.rpc.mux.metrics import SideMetrics

# A frame is closed when it has these; a longer one would hold up what comes next.
MOST_ITEMS = 256
MOST_BYTES = 256 * 1024
# Of one call. A frame of more than 4 MiB would end the stream: gRPC's limit for a request.
MOST_PAYLOAD = 3 * 1024 * 1024
# More than so many wait only when the other side does not read.
MOST_WAITING = 16


class Outbox:
    """One side's frames, in order; while one is being written the next gathers.

    While `patient` says so, a frame gathers for two turns of the loop in place of one.
    """

    def __init__(self, metrics: SideMetrics, patient: Callable[[], bool] = lambda: False) -> None:
        self._metrics = metrics
        self._patient = patient
        self._frames: deque[Frame] = deque()
        self._items = self._bytes = self._told = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = self._over = False

    def frame(self, size: int) -> Frame:
        """Where something of about `size` bytes is to be added, before the loop's next turn."""
        full = self._items >= MOST_ITEMS or self._bytes + size > MOST_BYTES
        if full or not self._frames:
            self._frames.append(Frame())
            self._tell()
            if len(self._frames) > MOST_WAITING:
                self._room.clear()
            self._items = self._bytes = 0
        self._items += 1
        self._bytes += size
        self._wake.set()
        return self._frames[-1]

    def unsent(self) -> Iterator[Call]:
        """Calls that the other side cannot have seen."""
        for frame in self._frames:
            yield from frame.calls

    def withdraw(self, id_: int) -> bool:
        """Takes a call back; False for one that the other side may have seen."""
        for frame in self._frames:
            calls = frame.calls
            # They are in the order of their ids.
            if calls and calls[-1].id >= id_:
                index = bisect_left(calls, id_, key=_id)
                if calls[index].id != id_:
                    break
                del calls[index]
                return True
        return False

    async def room(self) -> None:
        """Returns when not too many wait."""
        await self._room.wait()

    def close(self) -> None:
        """`run` returns when all is written."""
        self._closed = True
        self._wake.set()

    async def run(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Writes until closed; raises what `write` does."""
        try:
            while self._frames or not self._closed:
                await self._wake.wait()
                if self._patient():
                    await asyncio.sleep(0)
                self._wake.clear()
                await self._write_all(write)
        finally:
            self._over = True
            self._tell()

    async def _write_all(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        while self._frames:
            frame = self._frames.popleft()
            self._metrics.sent(frame)
            self._tell()
            await write(frame.SerializeToString())
            if len(self._frames) <= MOST_WAITING:
                self._room.set()

    def _tell(self) -> None:
        # What all streams have is told together; nothing waits where nobody writes any more.
        waiting = 0 if self._over else len(self._frames)
        self._metrics.waiting.inc(waiting - self._told)
        self._told = waiting


def _id(call: Call) -> int:
    return call.id
