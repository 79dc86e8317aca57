"""What every way of committed events to their reader must do."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from svc_analytics.domain.usage import UsageEvent as Kept
from svc_analytics.ports import UsageStore
from svc_analytics.servicers.ingest import IngestServicer
from svc_analytics.stores import STORES
from svc_analytics.usecases.ingest import Ingest
from svc_token.domain.events import Event, OutboxRow, PurchaseEvent, UsageEvent
from svc_token.domain.owner import Owner
from svc_token.ports import EventSink
from svc_token.stores import SINKS
from svc_token.stores.topics import Topics
from tests.full.kafka.carrying import consuming, event
from tests.parts.kafka import Corner, corner, until
from tests.parts.urls import KAFKA, backends
from tests.svc_token.conftest import TOPICS

pytestmark = pytest.mark.anyio


@dataclass
class Way:
    """A sink, and the store at its other end."""

    sink: EventSink
    store: UsageStore
    topics: Topics

    def row(self, seq: int, told: Event) -> OutboxRow:
        usage = isinstance(told, UsageEvent)
        return OutboxRow(
            seq=seq,
            event_id=told.event_id,
            topic=self.topics.usage if usage else self.topics.purchases,
            key=str(Owner.of(told.user_id, told.org_id)),
            payload=orjson.dumps(told.message()),
        )

    def rows(self, *told: Event) -> list[OutboxRow]:
        return [self.row(seq, one) for seq, one in enumerate(told)]

    async def kept(self, count: int) -> Sequence[Kept]:
        """What analytics has, once it is so many."""

        async def enough() -> bool:
            return len(await self.store.newest("openai", limit=1000)) >= count

        await until(enough)
        return await self.store.newest("openai", limit=1000)


@pytest.fixture(params=backends("grpc", kafka=KAFKA))
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Way]:
    async with AsyncExitStack() as stack:
        opened = STORES.open(f"sqlite:///{tmp_path / 'analytics.db'}")
        store = await stack.enter_async_context(opened)
        dispatcher = Dispatcher([map_errors, ValidationInterceptor()])
        dispatcher.add(IngestServicer(ingest=Ingest(store=store)))
        made = Corner(url="grpc://", topics=TOPICS, group="")
        if request.param == "kafka":
            made = await stack.enter_async_context(corner())
            await stack.enter_async_context(consuming(made, store))
        sink = await stack.enter_async_context(
            SINKS.open(made.url, analytics=LocalChannel(dispatcher), topics=made.topics)
        )
        yield Way(sink=sink, store=store, topics=made.topics)


async def test_usage_events_arrive_as_they_were_told(way: Way) -> None:
    told = [event(number) for number in range(20)]
    await way.sink.publish(way.rows(*told))
    kept = await way.kept(20)
    assert sorted(kept, key=lambda one: one.at_us) == [
        Kept(
            event_id=one.event_id,
            user_id=one.user_id,
            org_id=one.org_id,
            provider=one.provider,
            tokens=one.tokens,
            allowed=one.allowed,
            reason=one.reason,
            at_us=one.at_us,
        )
        for one in told
    ]


async def test_what_is_published_twice_counts_once(way: Way) -> None:
    first, second, last = (event(number) for number in range(3))
    await way.sink.publish(way.rows(first, second))
    await way.sink.publish(way.rows(first, second))
    await way.sink.publish(way.rows(last))
    assert len(await way.kept(3)) == 3


async def test_purchase_events_are_taken_and_are_no_use(way: Way) -> None:
    usage = event(1)
    purchase = PurchaseEvent(
        event_id="00000000-0000-4000-8000-0000000000ff",
        type="TOKEN_ALLOCATED",
        saga_id="00000000-0000-4000-8000-0000000000fe",
        user_id=usage.user_id,
        org_id=None,
        provider="openai",
        tokens=500,
        at_us=usage.at_us,
    )
    await way.sink.publish(way.rows(purchase))
    await way.sink.publish(way.rows(purchase, usage))
    assert [one.event_id for one in await way.kept(1)] == [usage.event_id]


async def test_nothing_to_publish_is_no_error(way: Way) -> None:
    await way.sink.publish([])
    assert await way.kept(0) == []
