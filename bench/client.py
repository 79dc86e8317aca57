"""Our own load: raw HTTP/1.1 over plain streams, for machines without wrk and exact counts."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

import uvloop

from bench.fresh import Ids
from bench.plan import FRESH, Load, Plan, Request
from bench.spread import percentile


def encoded(request: Request) -> bytes:
    """The request's bytes on the wire."""
    body = request.body.encode()
    headers = {"Host": "127.0.0.1", **request.headers, "Content-Length": str(len(body))}
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A request as bytes, in pieces that the id joins."""

    pieces: tuple[bytes, ...]
    status: bytes
    then: "_Sent | None"

    @classmethod
    def of(cls, request: Request) -> "_Sent":
        return cls(
            pieces=tuple(encoded(request).split(FRESH.encode())),
            status=str(request.status).encode(),
            then=cls.of(request.then) if request.then else None,
        )


class _Run:
    """What the connections of one plan share."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._todo: Iterator[_Sent] = cycle([_Sent.of(each) for each in plan.requests])
        if plan.count:
            self._todo = islice(self._todo, plan.count)
        self._ids = Ids()
        self._started = time.perf_counter()
        self._latencies: list[float] = []
        self._refused = self._broken = 0

    async def run(self) -> Load:
        await asyncio.gather(*(self._connection() for _ in range(self._plan.connections)))
        seconds = time.perf_counter() - self._started
        ordered = sorted(self._latencies)
        return Load(
            answered=len(ordered),
            refused=self._refused,
            broken=self._broken,
            seconds=seconds,
            p50_ms=percentile(ordered, 50) * 1000,
            p99_ms=percentile(ordered, 99) * 1000,
        )

    def _next(self) -> _Sent | None:
        late = time.perf_counter() - self._started >= self._plan.seconds
        return None if late and not self._plan.count else next(self._todo, None)

    async def _connection(self) -> None:
        try:
            await self._exchanges(*await asyncio.open_connection("127.0.0.1", self._plan.port))
        except (OSError, EOFError, ValueError):
            self._broken += 1

    async def _exchanges(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := self._next()) is not None:
                fresh = self._ids.new().encode()
                sent: _Sent | None = request
                while sent and await self._exchange(sent, fresh, reader, writer):
                    sent = sent.then
        finally:
            writer.close()

    async def _exchange(
        self, sent: _Sent, fresh: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        started = time.perf_counter()
        writer.write(fresh.join(sent.pieces))
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(length(head))
        self._latencies.append(time.perf_counter() - started)
        sound = head[9:12] == sent.status
        self._refused += not sound
        return sound


def length(head: bytes) -> int:
    """Of the body. Raises ValueError when that is not said."""
    # All our servers send a length; what sends none is counted as broken.
    _, found, rest = head.lower().partition(b"content-length:")
    if not found:
        raise ValueError("no content-length")
    return int(rest.split(b"\r\n", 1)[0])


def drive(plan: Plan) -> Load:
    """Runs the plan in this process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Run(plan).run())
