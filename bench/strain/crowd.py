"""Callers that come back when they are told to, each on a connection of its own."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from bench.client import encoded, length
from bench.plan import Request
from bench.strain.answers import REFUSALS, Answer, Answers

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """`connections` send `requests` in turn for `seconds`, and hear all answers."""

    port: int
    requests: Sequence[Request]
    connections: int
    seconds: float

    async def __call__(self) -> Answers:
        """One load; its time begins when all are connected."""
        turns = cycle([encoded(each) for each in self.requests])
        streams = await self._connect()
        run = _Run(turns, self.seconds)
        await asyncio.gather(*(run.caller(each) for each in streams))
        return Answers(all=run.answers, seconds=self.seconds, broken=run.broken)

    async def _connect(self) -> list[Streams]:
        # Not more at once than a listener has room for.
        gate = asyncio.Semaphore(_AT_ONCE)

        async def connect() -> Streams:
            async with gate:
                return await asyncio.open_connection("127.0.0.1", self.port)

        return await asyncio.gather(*(connect() for _ in range(self.connections)))


class _Run:
    """What the connections of one load share."""

    def __init__(self, turns: "cycle[bytes]", seconds: float) -> None:
        self._turns = turns
        self._seconds = seconds
        self._began = time.perf_counter()
        self.answers: list[Answer] = []
        self.broken = 0

    async def caller(self, streams: Streams) -> None:
        """One connection, until the time is up; what it began before is still answered."""
        try:
            while self._left() > 0:
                if wait := await self._exchange(next(self._turns), *streams):
                    await asyncio.sleep(min(wait, max(0.0, self._left())))
        except (OSError, EOFError, ValueError):
            self.broken += 1
        finally:
            streams[1].close()

    def _left(self) -> float:
        return self._began + self._seconds - time.perf_counter()

    async def _exchange(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> float:
        """How long to stay away, in seconds."""
        sent = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(length(head))
        now = time.perf_counter()
        status = int(head[9:12])
        self.answers.append(Answer(at=now - self._began, seconds=now - sent, status=status))
        return retry_after(head) if status in REFUSALS else 0.0


def retry_after(head: bytes) -> float:
    """Seconds, RFC 9110, 10.2.3; 0 without one."""
    _, found, rest = head.lower().partition(b"\r\nretry-after:")
    return float(rest.split(b"\r\n", 1)[0]) if found else 0.0
