"""Both sides of a topic: a sink that svc_token would open, and analytics' way in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import orjson
from aiokafka.admin import AIOKafkaAdminClient

from svc_analytics.domain.window import Window
from svc_analytics.ports import UsageSource, UsageStore
from svc_analytics.servicers.usage_message import read_usage
from svc_analytics.stores import SOURCES
from svc_analytics.usecases.ingest import Ingest
from svc_analytics.workers.usage_consumer import UsageConsumer
from svc_token.domain.events import OutboxRow, UsageEvent
from svc_token.domain.owner import Owner
from svc_token.ports import EventSink
from svc_token.stores import SINKS
from tests.parts.kafka import Corner

AT_US = 1_700_000_000_123_456
PROVIDER = "openai"


@asynccontextmanager
async def sink_to(kafka: Corner) -> AsyncIterator[EventSink]:
    async with SINKS.open(kafka.url, analytics=None, topics=kafka.topics) as sink:
        yield sink


@asynccontextmanager
async def source_of(kafka: Corner) -> AsyncIterator[UsageSource]:
    opened = SOURCES.open(kafka.url, topic=kafka.topics.usage, group=kafka.group)
    async with opened as source:
        assert source is not None
        yield source


@asynccontextmanager
async def consuming(
    kafka: Corner,
    store: UsageStore,
    *,
    over: Callable[[UsageSource], UsageSource] = lambda source: source,
) -> AsyncIterator["asyncio.Task[None]"]:
    """A member of the group that stores what it receives, until the block ends."""
    async with source_of(kafka) as source:
        worker = UsageConsumer(source=over(source), read=read_usage, ingest=Ingest(store=store))
        task = asyncio.ensure_future(worker())
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Killed):
                await task


class Killed(BaseException):
    """The process ends here."""


@dataclass
class KilledBeforeCommit:
    """The real source of a process that dies each time it has stored and not yet said so."""

    inner: UsageSource
    lives: int
    deaths: int = field(default=0)

    def __post_init__(self) -> None:
        self.receive, self.bury, self.lag = self.inner.receive, self.inner.bury, self.inner.lag

    async def done(self, messages: Sequence[object]) -> None:
        if self.deaths < self.lives:
            self.deaths += 1
            raise Killed
        await self.inner.done(messages)  # type: ignore[arg-type] # what came in


def event(number: int) -> UsageEvent:
    """An event of one of 50 users."""
    return UsageEvent(
        event_id=str(uuid4()),
        user_id=str(UUID(int=number % 50 + 1)),
        org_id=None,
        provider=PROVIDER,
        tokens=number % 97 + 1,
        allowed=True,
        reason="",
        at_us=AT_US + number,
    )


def row(number: int, *, topic: str) -> OutboxRow:
    """A committed event of one of 50 users."""
    fresh = event(number)
    return OutboxRow(
        seq=number,
        event_id=fresh.event_id,
        topic=topic,
        key=str(Owner.of(fresh.user_id, None)),
        payload=orjson.dumps(fresh.message()),
    )


def tokens_of(rows: Sequence[OutboxRow]) -> int:
    return sum(orjson.loads(one.payload)["tokens"] for one in rows)


async def members(kafka: Corner) -> int:
    """How many the group has, as its coordinator knows."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([kafka.group])
    finally:
        await admin.close()
    (group,) = answer.to_object()["groups"]
    return len(group["members"])


async def stored(store: UsageStore) -> tuple[int, int]:
    """How many events there are, and the sum of their tokens."""
    window = Window(start_us=AT_US, end_us=AT_US + 10_000_000)
    totals = (await store.summary(PROVIDER, window, top=1)).totals
    return totals.events, totals.tokens
