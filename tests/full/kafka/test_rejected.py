"""A row that Kafka will never take is parked; what is around it gets through."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from svc_token.domain.events import OutboxRow
from svc_token.ports import RejectedBatchError
from svc_token.usecases.relay_outbox import RelayOutbox
from tests.full.kafka.carrying import row, sink_to
from tests.parts.kafka import Corner, records
from tests.parts.urls import KAFKA, url

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
    values = [record.value for record in await records(kafka, kafka.topics.usage)]
    assert set(values) == {one.payload for one in rows}


@dataclass
class Rows:
    """An outbox in memory, for the relay alone."""

    waiting: list[OutboxRow]
    parked: list[int] = field(default_factory=list)

    async def pending(self, limit: int) -> Sequence[OutboxRow]:
        return self.waiting[:limit]

    async def delivered(self, seqs: Sequence[int]) -> None:
        self.waiting = [one for one in self.waiting if one.seq not in seqs]

    async def park(self, seq: int) -> None:
        self.parked.append(seq)
        await self.delivered([seq])

    async def depth(self) -> int:
        return len(self.waiting)


async def test_the_relay_parks_what_kafka_never_takes_and_sends_all_else(kafka: Corner) -> None:
    await small_messages_only(kafka)
    rows = [row(number, topic=kafka.topics.usage) for number in range(40)]
    rows += [row(number, topic=kafka.topics.purchases) for number in range(40, 60)]
    poison = {7, 8, 31}
    outbox = Rows([large(one, SMALL) if one.seq in poison else one for one in rows])
    async with sink_to(kafka) as sink:
        relay = RelayOutbox(outbox=outbox, sink=sink)
        assert await relay() == len(rows)
    assert (outbox.waiting, set(outbox.parked)) == ([], poison)
    for topic in (kafka.topics.usage, kafka.topics.purchases):
        sent = {record.value for record in await records(kafka, topic)}
        assert sent == {r.payload for r in rows if r.topic == topic and r.seq not in poison}
