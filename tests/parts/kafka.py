"""Topics and a group of a test's own on the Kafka that runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from mesh.storage.kafka import PARTITIONS, servers_of
from svc_token.stores.topics import Topics
from tests.parts.urls import KAFKA, url

# For a busy machine, where a JVM starts beside it.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """Names that nobody else uses; the topics are made by who writes or reads first."""

    url: str
    topics: Topics
    group: str

    @property
    def dead(self) -> str:
        return f"{self.topics.usage}.dead"

    @property
    def servers(self) -> list[str]:
        return servers_of(self.url)


@asynccontextmanager
async def corner(kafka: str = "") -> AsyncIterator[Corner]:
    """A corner of this Kafka, by default of the one that all tests share; removed afterwards."""
    mark = uuid4().hex[:12]
    topics = Topics(usage=f"usage-{mark}", purchases=f"purchases-{mark}")
    made = Corner(url=kafka or url(KAFKA), topics=topics, group=f"group-{mark}")
    try:
        yield made
    finally:
        await _remove(made)


async def _remove(made: Corner) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=made.servers, request_timeout_ms=5_000)
    with contextlib.suppress(KafkaError, OSError):  # a private broker may be gone already
        await admin.start()
        await admin.delete_topics([made.topics.usage, made.topics.purchases, made.dead])
    await admin.close()


async def records(made: Corner, topic: str) -> list[Any]:
    """All records of a topic, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=made.servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        # Of a topic that was just made, metadata know the partitions one after the other.
        while len(numbers := await consumer._client._wait_on_metadata(topic)) < PARTITIONS:
            await consumer._client.force_metadata_update()
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while len(found) < sum(ends.values()):
            for some in (await consumer.getmany(timeout_ms=1_000)).values():
                found += some
        return sorted(found, key=lambda one: (one.partition, one.offset))
    finally:
        await consumer.stop()


async def committed(made: Corner) -> int:
    """The sum of the group's committed offsets on the topic of usage events."""
    return sum((await _offsets(made.servers, made.group)).values())


async def lag(kafka: str, topic: str, group: str) -> int:
    """How many records of the topic the group has not committed yet."""
    servers = servers_of(kafka)
    done = await _offsets(servers, group)
    async with AIOKafkaConsumer(bootstrap_servers=servers) as reader:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends = await reader.end_offsets(partitions)
    return sum(end - done.get(at, 0) for at, end in ends.items())


async def _offsets(servers: list[str], group: str) -> dict[TopicPartition, int]:
    """What the group has committed of each partition of which it has something."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5_000)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # a Kafka whose first group is just joining
        return {}
    finally:
        await admin.close()
    return {at: known.offset for at, known in offsets.items() if known.offset > 0}


async def until(
    holds: Callable[[], Awaitable[bool]], *, within: float = PATIENCE_SECONDS, pause: float = 0.05
) -> None:
    """Returns when it holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110 what is waited for is in another process
            await asyncio.sleep(pause)
