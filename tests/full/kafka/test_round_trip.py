"""Ten thousand events in, ten thousand out, whatever happens to those who carry them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageSource, UsageStore
from svc_analytics.stores import source_kafka
from svc_token.domain.events import OutboxRow
from svc_token.ports import EventSink
from tests.full.kafka.carrying import (
    Killed,
    KilledBeforeCommit,
    consuming,
    members,
    row,
    sink_to,
    stored,
    tokens_of,
)
from tests.parts.kafka import Corner, committed, records, until
from tests.parts.urls import KAFKA, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no Kafka runs")]
MANY = 10_000
BATCH = 500


def events(kafka: Corner, count: int = MANY) -> list[OutboxRow]:
    return [row(number, topic=kafka.topics.usage) for number in range(count)]


async def publish(sink: EventSink, rows: Sequence[OutboxRow]) -> None:
    for start in range(0, len(rows), BATCH):
        await sink.publish(rows[start : start + BATCH])


async def arrived(kafka: Corner, store: UsageStore, rows: Sequence[OutboxRow]) -> None:
    """Returns when all are stored and committed; checks that each counts once."""

    async def all_of_them() -> bool:
        events, _ = await stored(store)
        return events >= len(rows) and await committed(kafka) >= len(rows)

    await until(all_of_them)
    assert await stored(store) == (len(rows), tokens_of(rows))


async def test_ten_thousand_events_arrive_once_each(kafka: Corner, store: UsageStore) -> None:
    rows = events(kafka)
    async with sink_to(kafka) as sink, consuming(kafka, store):
        await publish(sink, rows)
        await arrived(kafka, store, rows)
    assert await committed(kafka) == MANY


async def test_what_lies_there_before_the_first_consumer_is_read(
    kafka: Corner, store: UsageStore
) -> None:
    rows = events(kafka, 100)
    async with sink_to(kafka) as sink:
        await publish(sink, rows)
    async with consuming(kafka, store):
        await arrived(kafka, store, rows)


async def test_events_of_one_owner_stay_in_order_in_one_partition(kafka: Corner) -> None:
    rows = events(kafka, 2_000)
    async with sink_to(kafka) as sink:
        await publish(sink, rows)
    found = await records(kafka, kafka.topics.usage)
    assert sorted(record.value for record in found) == sorted(one.payload for one in rows)
    assert len({record.partition for record in found}) == 6
    for key in {one.key for one in rows}:
        mine = [record for record in found if record.key == key.encode()]
        assert [record.value for record in mine] == [r.payload for r in rows if r.key == key]
        assert len({record.partition for record in mine}) == 1


async def test_purchase_events_have_a_topic_of_their_own_and_headers_name_the_event(
    kafka: Corner,
) -> None:
    usage = row(1, topic=kafka.topics.usage)
    purchase = row(2, topic=kafka.topics.purchases)
    async with sink_to(kafka) as sink:
        await sink.publish([usage, purchase])
    for one in (usage, purchase):
        (record,) = await records(kafka, one.topic)
        assert (record.key, record.value) == (one.key.encode(), one.payload)
        assert dict(record.headers) == {
            "event-id": one.event_id.encode(),
            "schema-version": b"1",
        }


async def test_a_consumer_that_dies_before_it_commits_loses_and_doubles_nothing(
    kafka: Corner, store: UsageStore
) -> None:
    rows = events(kafka)
    deaths = 0
    async with sink_to(kafka) as sink:
        publishing = asyncio.ensure_future(publish(sink, rows))
        for _ in range(3):
            dying: list[KilledBeforeCommit] = []

            def over(source: UsageSource, dying: list[KilledBeforeCommit] = dying) -> UsageSource:
                dying.append(KilledBeforeCommit(source, lives=1))
                return dying[0]

            async with consuming(kafka, store, over=over) as task:
                with pytest.raises(Killed):
                    await task
            deaths += dying[0].deaths
        await publishing
    assert deaths == 3
    before, _ = await stored(store)
    assert before > 0
    assert await committed(kafka) == 0
    async with consuming(kafka, store):
        await arrived(kafka, store, rows)


async def test_a_second_consumer_in_the_middle_loses_and_doubles_nothing(
    kafka: Corner, store: UsageStore
) -> None:
    rows = events(kafka)
    half = MANY // 2
    async with sink_to(kafka) as sink, consuming(kafka, store):
        await publish(sink, rows[:half])
        async with consuming(kafka, store):
            await publish(sink, rows[half:])
            await arrived(kafka, store, rows)
        # And one that leaves: the first has all partitions again.
        more = [row(MANY + number, topic=kafka.topics.usage) for number in range(BATCH)]
        await publish(sink, more)
        await arrived(kafka, store, rows + more)


@dataclass
class Gated:
    """The real store behind a gate."""

    inner: UsageStore
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False

    async def append(self, events: Sequence[UsageEvent]) -> int:
        self.reached.set()
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "the store is away")
        await self.gate.wait()
        return await self.inner.append(events)

    @property
    def port(self) -> UsageStore:
        return self  # type: ignore[return-value] # no more of it is used


async def test_while_the_store_is_away_nothing_is_committed_and_the_lag_tells(
    kafka: Corner, store: UsageStore
) -> None:
    rows = events(kafka, 100)
    gated = Gated(store, away=True)
    sources: list[UsageSource] = []

    def noted(source: UsageSource) -> UsageSource:
        sources.append(source)
        return source

    async with sink_to(kafka) as sink, consuming(kafka, gated.port, over=noted):
        await publish(sink, rows)
        await gated.reached.wait()
        assert await committed(kafka) == 0
        assert await sources[0].lag() == len(rows)
        gated.away = False
        gated.gate.set()
        await arrived(kafka, store, rows)
        assert await sources[0].lag() == 0


async def test_a_member_that_drains_ends_its_batch_and_leaves_the_rest_to_others(
    kafka: Corner, store: UsageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A broker may be slow to hear that it leaves.
    monkeypatch.setattr(source_kafka, "_CLOSE_SECONDS", 60.0)
    rows = events(kafka, 100)
    gated = Gated(store)
    with capture_logs() as logs:
        async with sink_to(kafka) as sink, consuming(kafka, gated.port) as task:
            await publish(sink, rows)
            await gated.reached.wait()
            task.cancel()
            await asyncio.sleep(0)
            gated.gate.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await committed(kafka) == (await stored(store))[0] > 0
    # It said that it left: nobody has to wait ten seconds to miss it.
    assert not [one for one in logs if "without a word" in one["event"]]
    assert await members(kafka) == 0
    async with consuming(kafka, store):
        await arrived(kafka, store, rows)
