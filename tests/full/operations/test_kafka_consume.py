"""The script that prints usage events shows what is on the topic, and takes it from nobody."""

import json
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from mesh.storage.kafka import ensure_topics
from tests.full.operations.scripts import script
from tests.parts.kafka import Corner, corner
from tests.parts.urls import KAFKA, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(KAFKA), reason="no real parts here")]


async def produce(made: Corner, count: int) -> list[str]:
    events = [
        json.dumps({"eventId": str(uuid4()), "provider": "qwen", "ü": n}) for n in range(count)
    ]
    await ensure_topics(made.servers, [made.topics.usage])
    async with AIOKafkaProducer(bootstrap_servers=made.servers) as producer:
        for event in events:
            await producer.send(made.topics.usage, event.encode())
    return events


async def committed_by_consoles(made: Corner) -> dict[object, object]:
    admin = AIOKafkaAdminClient(bootstrap_servers=made.servers)
    await admin.start()
    try:
        names = [name for name, _ in await admin.list_consumer_groups()]
        consoles = [name for name in names if name.startswith("console-consumer-")]
        assert consoles
        found: dict[object, object] = {}
        for name in consoles:
            found |= await admin.list_consumer_group_offsets(name)
        return found
    finally:
        await admin.close()


def consume(made: Corner, *options: str) -> list[str]:
    broker = urlsplit(made.url).netloc
    ended = script(
        "kafka-consume-token-usage", "--broker", broker, "--topic", made.topics.usage, *options
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


async def test_every_event_is_printed_once_and_none_is_taken() -> None:
    async with corner() as made:
        events = await produce(made, 200)
        options = ("--from-beginning", "--timeout-seconds", "60", "--max-messages")
        assert sorted(consume(made, *options, "200")) == sorted(events)
        # They are all there again: no group has moved on.
        assert sorted(consume(made, *options, "200")) == sorted(events)
        assert len(consume(made, *options, "7")) == 7
        assert await committed_by_consoles(made) == {}


async def test_it_ends_when_nothing_comes() -> None:
    async with corner() as made:
        await produce(made, 1)
        assert consume(made, "--timeout-seconds", "2") == []


def test_an_option_that_is_none_prints_the_manual() -> None:
    for wrong in (("--no-such",), ("--topic",)):
        ended = script("kafka-consume-token-usage", *wrong)
        assert ended.returncode == 2
        assert "--max-messages COUNT" in ended.stderr
