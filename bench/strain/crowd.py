"""Callers that come back when they are told to, each on a connection of its own."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import cast

from bench.client import encoded, length
from bench.plan import Request
from bench.strain.answers import REFUSALS, Answer, Answers

_AT_ONCE = 64
# All at the same microsecond would be one wave, and its end what is measured.
_ARRIVING_SECONDS = 1.0
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """`connections` send `requests` in turn for `seconds`, and hear all answers."""

    port: int
    requests: Sequence[Request]
    connections: int
    seconds: float

    async def __call__(self) -> Answers:
        """One load; its time begins when all are connected, and they arrive one by one."""
        run = _Run(cycle([encoded(each) for each in self.requests]), self.seconds)
        callers = await self._connect(run)
        run.begin()
        arriving = min(_ARRIVING_SECONDS, self.seconds / 4)
        loop = asyncio.get_running_loop()
        for number, caller in enumerate(callers):
            loop.call_later(arriving * number / self.connections, caller.send)
        await asyncio.gather(*(caller.ended for caller in callers))
        return Answers(all=run.answers, seconds=self.seconds, broken=run.broken)

    async def _connect(self, run: "_Run") -> list["_Caller"]:
        # Not more at once than a listener has room for.
        gate = asyncio.Semaphore(_AT_ONCE)
        loop = asyncio.get_running_loop()

        async def connect() -> _Caller:
            async with gate:
                _, caller = await loop.create_connection(
                    lambda: _Caller(run), "127.0.0.1", self.port
                )
                return caller

        return await asyncio.gather(*(connect() for _ in range(self.connections)))


class _Run:
    """What the connections of one load share."""

    def __init__(self, turns: Iterator[bytes], seconds: float) -> None:
        self.turns = turns
        self.answers: list[Answer] = []
        self.broken = 0
        self._seconds = seconds
        self.begin()

    def begin(self) -> None:
        self._began = time.perf_counter()

    @property
    def left(self) -> float:
        """Seconds until no more is sent; what was sent before is still answered."""
        return self._began + self._seconds - time.perf_counter()

    def heard(self, status: int, sent: float, now: float) -> None:
        self.answers.append(Answer(at=now - self._began, seconds=now - sent, status=status))


class _Caller(asyncio.Protocol):
    """One connection. Hundreds share a core, so it is no coroutine: their own time counts too."""

    def __init__(self, run: _Run) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._run = run
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        """The next request, while there is time."""
        if self._run.left <= 0:
            self._end()
            return
        self._sent = time.perf_counter()
        self._transport.write(next(self._run.turns))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._heard += data
        head, found, body = self._heard.partition(_END_OF_HEAD)
        try:
            if found and len(body) >= length(head):
                self._heard = b""
                self._answered(head, now)
        except ValueError:
            self._break()

    def _answered(self, head: bytes, now: float) -> None:
        status = int(head[9:12])
        self._run.heard(status, self._sent, now)
        wait = retry_after(head) if status in REFUSALS else 0.0
        if wait:
            wait = min(wait, max(0.0, self._run.left))
            asyncio.get_running_loop().call_later(wait, self.send)
        else:
            self.send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.ended.done():
            self._break()

    def _break(self) -> None:
        self._run.broken += 1
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self._transport.close()


def retry_after(head: bytes) -> float:
    """Seconds, RFC 9110, 10.2.3; 0 without one."""
    _, found, rest = head.lower().partition(b"\r\nretry-after:")
    return float(rest.split(b"\r\n", 1)[0]) if found else 0.0
