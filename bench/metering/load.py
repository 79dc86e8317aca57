"""Callers who reserve and settle, one operation after another each."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from statistics import median
from uuid import uuid4

from bench.metering.server import Server
from bench.metering.ways import Submit
from bench.spread import percentile
from svc_token.domain.events import UsageEvent
from svc_token.domain.operations import Reserve, Settle
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.window import Window

ALLOWANCE = 10**15
DAY_US = 86_400_000_000
MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load saw: durable operations and their latency.

    CPU is in microseconds an operation, of this process and of the server's processes.
    """

    operations: int
    seconds: float
    cpu_us: float
    server_cpu_us: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Durable operations a second."""
        return self.operations / self.seconds


def user(number: int) -> str:
    """The id of a pool's owner."""
    return f"00000000-0000-4000-8000-{number:012d}"


def reserve(number: int, *, tokens: int = 1) -> Reserve:
    """A reservation in the pool of that number."""
    now = time.time_ns() // 1000
    return Reserve(
        id=str(uuid4()),
        pool=PoolKey(Owner.of(user(number), None), "openai"),
        user_id=user(number),
        tokens=tokens,
        allowance=ALLOWANCE,
        window=Window(0, 100_000 * DAY_US),
        now_us=now,
        expires_us=now + 3600 * MICRO,
    )


def settle(held: Reserve) -> Settle:
    """Its end: all of it was used."""
    event = UsageEvent(
        event_id=str(uuid4()),
        user_id=held.user_id,
        org_id=None,
        provider=held.pool.provider,
        tokens=held.tokens,
        allowed=True,
        reason="",
        at_us=held.now_us,
    )
    return Settle(
        id=held.id,
        pool=held.pool,
        tokens=held.tokens,
        event=event,
        window=held.window,
        now_us=held.now_us,
    )


async def drive(
    submit: Submit, server: Server, *, pools: int, callers: int, seconds: float
) -> Load:
    """So many callers over so many pools; what has begun in time is waited for and counted."""
    taken: list[float] = []
    begun, cpu, server_cpu = time.perf_counter(), time.process_time(), server.cpu_seconds()
    until = begun + seconds

    async def timed(operation: Reserve | Settle) -> None:
        start = time.perf_counter()
        await submit(operation)
        taken.append(time.perf_counter() - start)

    async def caller(numbers: Iterator[int]) -> None:
        while time.perf_counter() < until:
            held = reserve(next(numbers) % pools)
            await timed(held)
            await timed(settle(held))

    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(count(number, callers)))
    lasted, used = time.perf_counter() - begun, time.process_time() - cpu
    served = server.cpu_seconds() - server_cpu
    ordered = sorted(taken)
    return Load(
        operations=len(ordered),
        seconds=lasted,
        cpu_us=used / len(ordered) * MICRO,
        server_cpu_us=served / len(ordered) * MICRO,
        p50_ms=median(ordered) * 1000,
        p99_ms=percentile(ordered, 99) * 1000,
    )
