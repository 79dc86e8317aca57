"""Headers as no writer of ours makes them hold nobody up."""

from typing import Any

import orjson
import pytest
import structlog.testing
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from mesh.storage.kafka import ensure_topics
from svc_analytics.ports import UsageStore
from tests.full.kafka.carrying import consuming, row, stored, tokens_of
from tests.parts.kafka import Corner, committed, records, until
from tests.parts.urls import KAFKA, url
from tests.traced import recording

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no Kafka runs")]
GOOD = [row(number, topic="any") for number in range(6)]
# The CRC lies here in a batch, and is of what follows it.
_CRC = slice(17, 21)
_PLAIN, _ODD = b"odd-name", b"odd-n\xffme"


async def test_a_header_without_a_value_is_stored_and_buried_like_any_other(
    kafka: Corner, store: UsageStore
) -> None:
    await ensure_topics(kafka.servers, [kafka.topics.usage])
    async with AIOKafkaProducer(bootstrap_servers=kafka.servers) as producer:
        for value in (GOOD[0].payload, b"not json", GOOD[1].payload):
            headers: Any = [("traceparent", None)]
            await producer.send_and_wait(kafka.topics.usage, value, partition=0, headers=headers)
    with recording():
        async with consuming(kafka, store):
            await until(lambda: _done(kafka, 3))
    assert await stored(store) == (2, tokens_of(GOOD[:2]))
    (letter,) = await records(kafka, kafka.dead)
    assert (letter.value, dict(letter.headers)["traceparent"]) == (b"not json", None)


async def test_what_cannot_be_read_for_its_headers_is_left_out_and_told(
    kafka: Corner, store: UsageStore
) -> None:
    await ensure_topics(kafka.servers, [kafka.topics.usage])
    async with AIOKafkaProducer(bootstrap_servers=kafka.servers) as producer:
        await _send(producer, kafka.topics.usage, 0, [GOOD[0], GOOD[1], None, None])
        await _send(producer, kafka.topics.usage, 1, [GOOD[2]])
        await _send(producer, kafka.topics.usage, 1, [None])
        await _send(producer, kafka.topics.usage, 1, [GOOD[3]])
        await _send(producer, kafka.topics.usage, 0, [GOOD[4], GOOD[5]])
    with structlog.testing.capture_logs() as logs:
        async with consuming(kafka, store):
            await until(lambda: _done(kafka, 9))
    assert await stored(store) == (6, tokens_of(GOOD))
    told = [entry for entry in logs if entry["log_level"] == "error"]
    lost = sorted((one["partition"], one["first"], one["last"]) for one in told)
    assert lost == [(0, 2, 3), (1, 1, 1)]


async def _done(kafka: Corner, count: int) -> bool:
    return await committed(kafka) == count


async def _send(producer: Any, topic: str, partition: int, rows: list[Any]) -> None:
    """One batch; None is an event with a header's name that aiokafka cannot read, nor write."""
    batch = producer.create_batch()
    for one in rows:
        name = (b"fine" if one else _PLAIN).decode()
        value = one.payload if one else orjson.dumps("lost")
        batch.append(key=None, value=value, timestamp=None, headers=[(name, b"x")])
    raw = bytearray(batch._build().replace(_PLAIN, _ODD))
    raw[_CRC] = calc_crc32c(bytes(raw[_CRC.stop :])).to_bytes(4, "big")
    batch._buffer = raw
    await (await producer.send_batch(batch, topic, partition=partition))
