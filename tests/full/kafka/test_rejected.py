"""A row that Kafka will never take is parked; what is around it gets through."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from mesh.clock import SystemClock
from mesh.storage.kafka import ensure_topics
from svc_token.domain.events import OutboxRow
from svc_token.domain.operations import Emit
from svc_token.ports import RefusedTopicsError, RejectedBatchError
from svc_token.stores import SINKS, TOKEN_STORES
from tests.full.kafka.carrying import event, row, sink_to
from tests.parts.kafka import Corner, records
from tests.parts.urls import KAFKA, url
from tests.svc_token.relaying import relay_of

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no Kafka runs")]
SMALL = 2_000


async def small_messages_only(kafka: Corner) -> None:
    """As an operator might set the topic up: what is larger is refused by the broker."""
    limit = {"max.message.bytes": str(SMALL)}
    topic = NewTopic(kafka.topics.usage, 6, 1, topic_configs=limit)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.servers)
    await admin.start()
    try:
        await admin.create_topics([topic])
    finally:
        await admin.close()


def large(one: OutboxRow, size: int) -> OutboxRow:
    return replace(one, payload=one.payload + b" " * size)


@pytest.mark.parametrize("size", [SMALL, 1_100_000])
async def test_a_batch_with_a_row_that_is_too_large_is_rejected_and_the_next_is_not(
    kafka: Corner, size: int
) -> None:
    await small_messages_only(kafka)
    rows = [row(number, topic=kafka.topics.usage) for number in range(3)]
    async with sink_to(kafka) as sink:
        await sink.publish(rows[:1])
        for _ in range(2):
            with pytest.raises(RejectedBatchError):
                await sink.publish([rows[1], large(rows[2], size)])
        await sink.publish(rows)
    values = [record.value for record in await _usage(kafka)]
    assert set(values) == {one.payload for one in rows}


async def test_the_relay_parks_what_kafka_never_takes_and_sends_all_else(
    kafka: Corner, tmp_path: Path
) -> None:
    await small_messages_only(kafka)
    poison = {7, 8, 31}
    told = [event(number) for number in range(40)]
    told = [
        replace(one, reason="x" * SMALL) if number in poison else one
        for number, one in enumerate(told)
    ]
    url = f"sqlite:///{tmp_path / 'token.db'}"
    async with TOKEN_STORES.open(url, topics=kafka.topics) as stores, sink_to(kafka) as sink:
        for one in told:
            await stores.ledger.submit(Emit(event=one))
        relay = relay_of(stores.outbox, stores.leases, sink, SystemClock())
        while await stores.outbox.depth():
            await relay()
        # Parked, not deleted: somebody may look at it.
        assert await relay() == 0
    sent = {dict(one.headers)["event-id"].decode() for one in await _usage(kafka)}
    assert sent == {one.event_id for number, one in enumerate(told) if number not in poison}


async def test_what_is_for_a_topic_that_is_not_there_holds_up_no_other(
    kafka: Corner, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'token.db'}"
    # As they were committed under another setting.
    old = replace(kafka.topics, usage=f"{kafka.topics.usage}-old")
    told = [event(number) for number in range(40)]
    for number, topics in enumerate((old, kafka.topics)):
        async with TOKEN_STORES.open(url, topics=topics) as stores:
            for one in told[number::2]:
                await stores.ledger.submit(Emit(event=one))
    async with TOKEN_STORES.open(url, topics=kafka.topics) as stores, sink_to(kafka) as sink:
        relay = relay_of(stores.outbox, stores.leases, sink, SystemClock())
        async with asyncio.timeout(60):
            while await relay():
                pass
        assert {row.topic for row in await stores.outbox.parked(100)} == {old.usage}
        assert (await stores.outbox.backlog()).parked == 20
        assert await stores.outbox.depth() == 0
        sent = {dict(one.headers)["event-id"].decode() for one in await _usage(kafka)}
        assert sent == {one.event_id for one in told[1::2]}
        # Somebody makes it, and says so.
        await ensure_topics(kafka.servers, [old.usage])
        await stores.outbox.requeue(None)
        assert await relay() == 20
    values = {dict(one.headers)["event-id"].decode() for one in await records(kafka, old.usage)}
    assert values == {one.event_id for one in told[0::2]}


async def test_a_topic_that_cannot_be_created_holds_up_no_other(kafka: Corner) -> None:
    wrong = replace(kafka.topics, purchases="no topic at all")
    other = SINKS.open(kafka.url, analytics=None, topics=wrong)
    async with other as sink:
        for _ in range(2):
            with pytest.raises(RefusedTopicsError) as refused:
                await sink.publish([row(1, topic=wrong.usage), row(2, topic=wrong.purchases)])
            assert refused.value.topics == {wrong.purchases}
        await sink.publish([row(3, topic=wrong.usage)])
    assert len(await _usage(kafka)) == 1
    with pytest.raises(KafkaError, match="no topic at all"):
        await ensure_topics(kafka.servers, [wrong.purchases])


async def _usage(kafka: Corner) -> list[Any]:
    return await records(kafka, kafka.topics.usage)
