"""A hundred thousand events, each once in analytics, while those who carry them are killed.

The whole system runs, on a PostgreSQL, and on a Kafka of this test's own. The
events are committed to svc_token's store as its own calls do it, while its
relay delivers: so many calls over REST would measure REST.
"""

import asyncio
import math
import os
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from mesh.storage.kafka import servers_of
from svc_token.domain.events import UsageEvent
from svc_token.domain.operations import Emit
from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.stores import TokenStores
from svc_token.stores.topics import Topics
from tests.e2e.system import System
from tests.parts.kafka import until
from tests.parts.native import NativePart, native_part
from tests.parts.postgresql import migrated_database
from tests.parts.urls import KAFKA, POSTGRESQL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.e2e,
    pytest.mark.skipif(not url(KAFKA) or not url(POSTGRESQL), reason="needs both parts"),
]
EVENTS = int(os.environ.get("OUTBOX_EVENTS", "100000"))
AT_ONCE = 1_000
# Events a second. All at once would leave the broker nothing to be missed by when it dies.
PACE = 2_500
USERS = 500
# What it took is printed; this is for what never comes.
LAG_SECONDS = 300.0
TOPICS = Topics(usage="token-usage", purchases="token-purchase-events")


@dataclass(kw_only=True)
class Pipeline:
    """The system, its broker, and what was committed."""

    system: System
    broker: NativePart
    stores: TokenStores
    committed: dict[str, UsageEvent] = field(default_factory=dict)

    async def commit(self, count: int) -> None:
        """So many events, two of each user in each moment, as fast as a busy system has them."""
        begun = time.monotonic()
        for start in range(0, count, AT_ONCE):
            await asyncio.sleep(begun + start / PACE - time.monotonic())
            events = [_event(number) for number in range(min(AT_ONCE, count - start))]
            await asyncio.gather(*(self.stores.ledger.submit(Emit(event=one)) for one in events))
            self.committed |= {one.event_id: one for one in events}

    def kill(self, service: str) -> None:
        """Without a word; `leaky up` starts it again."""
        os.kill(self.system.pids()[service], signal.SIGKILL)

    def kept(self) -> list[tuple[str, str, int]]:
        """What analytics has: ids, users and tokens."""
        database = sqlite3.connect(self.system.data / "analytics.db", timeout=30)
        try:
            return database.execute("SELECT event_id, user_id, tokens FROM usage_events").fetchall()
        finally:
            database.close()

    def lag(self) -> float:
        """What the services say is not delivered, or not stored; NaN while they do not know."""
        return self._metric("token", "outbox_depth") + self._metric(
            "analytics", "analytics_usage_lag"
        )

    async def published(self) -> int:
        """How many records lie in Kafka."""
        servers = servers_of(f"kafka://127.0.0.1:{self.broker.ports['KAFKA_PORT']}")
        consumer = AIOKafkaConsumer(bootstrap_servers=servers)
        await consumer.start()
        try:
            numbers = await consumer._client._wait_on_metadata(TOPICS.usage)
            partitions = [TopicPartition(TOPICS.usage, number) for number in numbers]
            return int(sum((await consumer.end_offsets(partitions)).values()))
        finally:
            await consumer.stop()

    def _metric(self, service: str, name: str) -> float:
        with suppress(httpx.TransportError):
            text = httpx.get(f"{self.system.url(service)}/metrics", timeout=5).text
            found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
            return float(found[1]) if found else math.nan
        return math.nan


def _event(number: int) -> UsageEvent:
    return UsageEvent(
        event_id=str(uuid4()),
        user_id=str(UUID(int=number // 2 % USERS + 1)),
        org_id=None,
        provider="openai",
        tokens=number % 97 + 1,
        allowed=True,
        reason="",
        at_us=time.time_ns() // 1_000_000 * 1_000,
    )


@pytest.fixture
async def pipeline(tmp_path: Path) -> AsyncIterator[Pipeline]:
    with ExitStack() as stack:
        broker = stack.enter_context(native_part("kafka"))
        await asyncio.to_thread(broker.start)
        store = await migrated_database("token", SCHEMAS)
        kafka = f"kafka://127.0.0.1:{broker.ports['KAFKA_PORT']}"
        env = {
            "LEAKY_TOKEN_STORE": store,
            "LEAKY_TOKEN_USAGE_SINK": kafka,
            "LEAKY_ANALYTICS_USAGE_SOURCE": kafka,
        }
        system = System(tmp_path / "data", env)
        stack.callback(system.end)
        await asyncio.to_thread(system.start)
        async with TOKEN_STORES.open(store, topics=TOPICS) as stores:
            yield Pipeline(system=system, broker=broker, stores=stores)


async def test_a_hundred_thousand_events_are_in_analytics_once_each(pipeline: Pipeline) -> None:
    begun = time.monotonic()
    await _with_kills(pipeline)
    ended = time.monotonic()

    seen: list[tuple[float, int, int, float]] = []

    async def none_left() -> bool:
        # The services' own figures are as old as five seconds: all is looked at.
        waiting = await pipeline.stores.outbox.depth()
        kept = len(await asyncio.to_thread(pipeline.kept))
        lag = await asyncio.to_thread(pipeline.lag)
        seen.append((time.monotonic() - ended, waiting, kept, lag))
        return waiting == lag == 0 and kept >= EVENTS

    try:
        await until(none_left, within=LAG_SECONDS, pause=0.25)
    except TimeoutError:
        pytest.fail(f"after seconds, waiting, in analytics, lag: {seen[:1] + seen[-1:]}")
    late = time.monotonic() - ended
    kept = await asyncio.to_thread(pipeline.kept)
    ids = Counter(event_id for event_id, _, _ in kept)
    lost = len(pipeline.committed.keys() - ids.keys())
    double = ids.total() - len(ids)
    again = await pipeline.published() - EVENTS
    print(  # noqa: T201 for the closing figures
        f"outbox events={EVENTS} lost={lost} double={double} sent_again={again}"
        f" lag_zero_after={late:.1f}s committed_in={ended - begun:.1f}s"
    )
    assert (lost, double) == (0, 0)
    told = {(one.event_id, one.user_id, one.tokens) for one in pipeline.committed.values()}
    assert set(kept) == told


async def _with_kills(pipeline: Pipeline) -> None:
    """Commits all events, and kills broker, consumer and relay in between."""
    fifth = EVENTS // 5
    await pipeline.commit(fifth)
    await asyncio.to_thread(pipeline.broker.kill)
    await pipeline.commit(fifth)
    await asyncio.to_thread(pipeline.broker.start)
    await pipeline.commit(fifth)
    pipeline.kill("analytics")
    await pipeline.commit(fifth)
    pipeline.kill("token")

    async def both_are_back() -> bool:
        return not math.isnan(await asyncio.to_thread(pipeline.lag))

    await until(both_are_back)
    await pipeline.commit(EVENTS - 4 * fifth)
