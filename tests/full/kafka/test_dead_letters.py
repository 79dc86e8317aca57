"""What can never be stored is set aside with its reason, and holds nobody up."""

import orjson
import pytest
import structlog.testing
from aiokafka import AIOKafkaProducer

from mesh.storage.kafka import ensure_topics
from svc_analytics.ports import UsageStore
from svc_analytics.usecases.ingest import INGESTED
from tests.full.kafka.carrying import consuming, row, stored, tokens_of
from tests.parts.kafka import Corner, committed, records, until
from tests.parts.urls import KAFKA, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no Kafka runs")]
GOOD = [row(number, topic="any") for number in range(4)]
_EVENT = orjson.loads(GOOD[0].payload)
BAD = {
    b"not json, but secret-17": "MALFORMED_JSON: the body is not valid JSON",
    orjson.dumps({**_EVENT, "schemaVersion": 2}): "INVALID_ARGUMENT: schema_version: must be 1",
    orjson.dumps({**_EVENT, "userId": "secret-17"}): "INVALID_ARGUMENT: user_id: must be a UUID",
    # A tombstone.
    None: "MALFORMED_JSON: the body is not valid JSON",
    # As large as the broker takes: with the headers that tell of it, it no longer fits.
    b"secret-17" + b"x" * 1_048_400: "MALFORMED_JSON: the body is not valid JSON",
}


async def published(kafka: Corner) -> None:
    """Bad ones between good ones, all in one partition."""
    await ensure_topics(kafka.servers, [kafka.topics.usage])
    values: list[bytes | None] = [GOOD[0].payload]
    for bad, good in zip(BAD, [*GOOD[1:], None, None], strict=True):
        values += [bad, *([good.payload] if good else [])]
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.servers, max_request_size=2_000_000
    ) as producer:
        for value in values:
            await producer.send_and_wait(
                kafka.topics.usage, value, b"key", partition=0, headers=[("event-id", b"e")]
            )


async def test_dead_letters_say_what_was_wrong_and_where_it_lies(
    kafka: Corner, store: UsageStore
) -> None:
    await published(kafka)
    dead = INGESTED.of("dead").value

    async def all_done() -> bool:
        return await committed(kafka) == len(GOOD) + len(BAD)

    with structlog.testing.capture_logs() as logs:
        async with consuming(kafka, store):
            await until(all_done)
    assert await stored(store) == (len(GOOD), tokens_of(GOOD))
    assert INGESTED.of("dead").value - dead == len(BAD)
    assert "secret" not in repr(logs)

    found = {dict(one.headers)["dead-offset"]: one for one in await records(kafka, kafka.dead)}
    lying = [one for one in await records(kafka, kafka.topics.usage) if one.value in BAD]
    assert len(found) == len(lying) == len(BAD)
    for original in lying:
        letter = found[str(original.offset).encode()]
        headers = dict(letter.headers)
        assert headers["dead-reason"].decode() == BAD[original.value]
        assert headers["dead-topic"].decode() == kafka.topics.usage
        assert headers["dead-partition"] == b"0"
        if len(original.value or b"") < 1_000:
            assert (letter.key, letter.value) == (b"key", original.value or b"")
            assert headers["event-id"] == b"e"
        else:
            assert (letter.key, letter.value) == (None, b"")
