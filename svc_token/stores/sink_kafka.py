"""Events to Kafka, partitioned by owner."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mesh.rpc.channel import Channel
from mesh.storage import kafka_publisher as kafka
from mesh.storage.kafka import servers_of
from mesh.storage.kafka_publisher import Publisher, Record, open_publisher
from svc_token.domain.events import SCHEMA_VERSION, OutboxRow
from svc_token.ports import RefusedTopicsError, RejectedBatchError
from svc_token.stores.topics import Topics

_SCHEMA = ("schema-version", str(SCHEMA_VERSION).encode())


class KafkaSink:
    """Publishes usage events and purchase events, each to its row's topic."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Returns when every in-sync replica has all of them.

        A batch that fails in part is sent again as a whole: consumers know
        events by their ids.
        """
        try:
            await self._publisher.publish([_record(row) for row in rows])
        except kafka.RefusedTopicsError as error:
            raise RefusedTopicsError(error.topics) from error
        except kafka.RejectedRecordsError as error:
            raise RejectedBatchError from error


def _record(row: OutboxRow) -> Record:
    return Record(
        topic=row.topic,
        key=row.key.encode(),
        value=row.payload,
        headers=(("event-id", row.event_id.encode()), _SCHEMA),
    )


@asynccontextmanager
async def open_sink(url: str, *, analytics: Channel, topics: Topics) -> AsyncIterator[KafkaSink]:
    """The sink for `kafka://HOST:PORT[,HOST:PORT]`, whether Kafka is there yet or not."""
    del analytics
    async with open_publisher(servers_of(url), (topics.usage, topics.purchases)) as publisher:
        yield KafkaSink(publisher)
