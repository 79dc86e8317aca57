"""Kafka goes and comes back: nobody is restarted, nothing is lost, nothing counts twice."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog.testing

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.clock import SystemClock
from mesh.errors import AppError
from mesh.storage.kafka import REQUEST_SECONDS
from svc_analytics.ports import UsageStore
from svc_token.domain.operations import Emit
from svc_token.ports import EventSink
from svc_token.stores import TOKEN_STORES
from svc_token.stores.denied_queue import DeniedQueue
from svc_token.stores.stores import TokenStores
from svc_token.workers.loops import Loop
from tests.full.kafka.carrying import consuming, event, row, sink_to, source_of, stored
from tests.parts.kafka import Corner, corner, until
from tests.parts.native import NativePart, native_part
from tests.parts.urls import KAFKA, url
from tests.ports import free_ports
from tests.svc_token.relaying import relay_of

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no Kafka runs")]
PAUSE_SECONDS = 0.25
# What an answer may take: a request's time for the topics, one for the batch, and a busy machine.
BOUND_SECONDS = 3 * REQUEST_SECONDS


@pytest.fixture(scope="module")
def broker() -> Iterator[NativePart]:
    """A Kafka of these tests' own; the first test finds it not started yet."""
    with native_part("kafka") as part:
        yield part


@pytest.fixture
async def own(broker: NativePart) -> AsyncIterator[Corner]:
    async with corner(f"kafka://127.0.0.1:{broker.ports['KAFKA_PORT']}") as made:
        yield made


async def start(broker: NativePart) -> None:
    await asyncio.to_thread(broker.start)


async def refused(sink: EventSink, topic: str) -> float:
    """Seconds that it took to say that Kafka is away."""
    begun = time.monotonic()
    with pytest.raises(AppError) as refusal:
        await sink.publish([row(1, topic=topic)])
    assert refusal.value.reason == REASON_UNAVAILABLE
    return time.monotonic() - begun


@dataclass
class Load:
    """Commits events one after the other, as consumes do, while the relay runs beside it."""

    stores: TokenStores
    sink: EventSink
    tokens: int = 0
    events: int = 0
    slowest: float = 0.0
    _on: bool = True

    async def commit(self) -> None:
        while self._on:
            fresh = event(self.events)
            begun = time.monotonic()
            await self.stores.ledger.submit(Emit(event=fresh))
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.events += 1
            self.tokens += fresh.tokens
            await asyncio.sleep(0.005)

    def end(self) -> None:
        self._on = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        relay = relay_of(self.stores.outbox, self.stores.leases, self.sink, SystemClock())

        async def work() -> bool:
            return await relay() > 0

        loop = Loop(name="outbox relay", work=work, pause=lambda: PAUSE_SECONDS)
        tasks = [asyncio.ensure_future(one) for one in (self.commit(), loop.run())]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


@asynccontextmanager
async def load(own: Corner, folder: Path) -> AsyncIterator[Load]:
    async with (
        TOKEN_STORES.open(f"sqlite:///{folder / 'token.db'}", topics=own.topics) as stores,
        sink_to(own) as sink,
        Load(stores=stores, sink=sink).running() as made,
    ):
        yield made


async def arrived(store: UsageStore, made: Load) -> None:
    """Returns when all that was committed is there; checks that each counts once."""
    made.end()

    async def all_of_them() -> bool:
        return (await stored(store))[0] >= made.events and not await made.stores.outbox.depth()

    await until(all_of_them)
    assert await stored(store) == (made.events, made.tokens)


async def seen(store: UsageStore, at_least: int) -> None:
    async def enough() -> bool:
        return (await stored(store))[0] >= at_least

    await until(enough)


async def committed(made: Load, at_least: int) -> None:
    async def enough() -> bool:
        return made.events >= at_least

    await until(enough)


async def test_both_sides_begin_without_kafka_and_find_it_later(
    broker: NativePart, own: Corner, store: UsageStore
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with sink_to(own) as sink, consuming(own, store):
            for _ in range(5):
                assert await refused(sink, own.topics.usage) < BOUND_SECONDS
            await start(broker)

            async def published() -> bool:
                with suppress(AppError):
                    await sink.publish([row(1, topic=own.topics.usage)])
                    return True
                return False

            await until(published)
            await seen(store, 1)
    assert len(logs) < 100


async def test_a_broker_that_stops_and_one_that_dies_lose_and_double_nothing(
    broker: NativePart, own: Corner, store: UsageStore, tmp_path: Path
) -> None:
    await start(broker)
    async with load(own, tmp_path) as made, consuming(own, store):
        await seen(store, 100)
        for end in (broker.stop, broker.kill):
            await asyncio.to_thread(end)
            # Consumes go on, and what they commit waits.
            before = made.events
            await committed(made, before + 300)
            await start(broker)
            await seen(store, before + 300)
        await arrived(store, made)
    # No consume waited for Kafka, which takes longer than this to start.
    assert made.slowest < 5.0


async def test_a_broker_that_freezes_is_not_waited_for(
    broker: NativePart, own: Corner, store: UsageStore, tmp_path: Path
) -> None:
    await start(broker)
    async with (
        load(own, tmp_path) as made,
        consuming(own, store),
        source_of(replace(own, group="another")) as behind,
    ):
        await seen(store, 50)
        received = await behind.receive(3)
        assert await behind.lag() >= 50
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            async with sink_to(own) as other:
                assert await refused(other, own.topics.usage) < BOUND_SECONDS
            assert await refused(made.sink, own.topics.usage) < BOUND_SECONDS
            with pytest.raises(AppError):
                await behind.lag()
            with pytest.raises(AppError):
                await behind.done(received)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await arrived(store, made)


async def test_refusals_wait_in_a_bounded_queue_and_nobody_waits_for_them() -> None:
    (port,) = free_ports(1)
    async with corner(f"kafka://127.0.0.1:{port}") as nobody, sink_to(nobody) as sink:
        queue = DeniedQueue(sink, nobody.topics)
        begun = time.monotonic()
        for number in range(20_000):
            queue.offer(event(number))
        with pytest.raises(AppError):
            await queue.flush()
        assert time.monotonic() - begun < BOUND_SECONDS
        assert len(queue._events) == 10_000
