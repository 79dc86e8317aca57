"""Usage events from Kafka, as one member of a consumer group."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from mesh.storage.kafka import (
    AWAY,
    REQUEST_SECONDS,
    ensure_topics,
    servers_of,
    start,
    unavailable,
)
from mesh.storage.kafka_publisher import open_publisher
from svc_analytics.domain.message import Message
from svc_analytics.stores.dead_letters_kafka import DeadLetters, dead_topic

log = structlog.get_logger("usage source")
_POLL_MS = 1_000
# A member that died is missed after the first, one that left or joined after the second.
_SESSION_MS = 10_000
_HEARTBEAT_MS = 1_000
# Above the session: a join is answered only when all members have joined or are missed.
_REQUEST_MS = 15_000
_RETRY_MS = 250
# A topic's partitions that were not known yet when the group was joined are found within
# this, as are new ones; aiokafka's own default is five minutes.
_METADATA_MS = 5_000
_CLOSE_SECONDS = 2.0


class KafkaSource:
    """The port `UsageSource`: offsets are committed by `done`, so nothing is lost on the way.

    Partitions may go to another member at any time; what was received and not
    done is then received there again.
    """

    def __init__(self, servers: Sequence[str], topic: str, group: str, dead: DeadLetters) -> None:
        self._servers = servers
        self._topic = topic
        self._group = group
        self._dead = dead
        self._consumer: AIOKafkaConsumer | None = None
        self._committing: asyncio.Future[None] | None = None
        self._in_hand = 0
        # How many records more are read one at a time.
        self._singly = 0

    async def receive(self, limit: int) -> Sequence[Message]:
        """The next messages, waited for."""
        try:
            consumer = await self._joined()
            while True:
                found = await self._fetched(consumer, limit)
                if found:
                    break
                _check(consumer)
        except AWAY as error:
            await self.close()
            raise unavailable(error) from error
        except Exception:
            # Whatever broke it, the next one begins where the last commit was.
            await self.close()
            raise
        messages = [_message(record) for records in found.values() for record in records]
        self._in_hand = len(messages)
        return messages

    async def done(self, messages: Sequence[Message]) -> None:
        """Commits their offsets, as far as the partitions are still this member's."""
        if self._committing is None:
            offsets = self._offsets(messages)
            if self._consumer is None or not offsets:
                self._in_hand = 0
                return
            self._committing = asyncio.ensure_future(self._consumer.commit(offsets))
        # Not cancelled when time is up: it goes on trying, and is asked again.
        await asyncio.wait({self._committing}, timeout=REQUEST_SECONDS)
        if not self._committing.done():
            raise unavailable(TimeoutError())
        committed, self._committing = self._committing, None
        try:
            committed.result()
        except (CommitFailedError, IllegalStateError):
            log.info("partitions have moved, another member will receive these again")
        except AWAY as error:
            raise unavailable(error) from error
        self._in_hand = 0

    async def bury(self, message: Message, reason: str) -> None:
        """Publishes the message to `<topic>.dead`."""
        await self._dead.keep(message, reason)

    async def lag(self) -> int:
        """Messages in this member's partitions that are not done."""
        consumer = self._consumer
        try:
            if consumer is None:
                raise KafkaError("the group is not joined")
            async with asyncio.timeout(REQUEST_SECONDS):
                ends = await consumer.end_offsets(list(consumer.assignment()))
                behind = [int(end - await consumer.position(tp)) for tp, end in ends.items()]
        except AWAY as error:
            raise unavailable(error) from error
        return sum(max(0, one) for one in behind) + self._in_hand

    async def close(self) -> None:
        """Leaves the group, so that the others need not miss this member first."""
        consumer, self._consumer = self._consumer, None
        committing, self._committing = self._committing, None
        if consumer is not None:
            await _stop(consumer)
        if committing is not None:
            # Cut off, it rests before it would try again.
            await asyncio.wait({committing}, timeout=_RETRY_MS / 2_000)
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)

    async def _fetched(self, consumer: AIOKafkaConsumer, limit: int) -> dict[TopicPartition, Any]:
        """What comes within a second, past what cannot be read: a header's name that is not UTF-8.

        Whatever was read along with that is lost, so all is read again from the last
        commit on, and singly.
        """
        try:
            found = await consumer.getmany(
                timeout_ms=_POLL_MS, max_records=1 if self._singly else limit
            )
        except UnicodeDecodeError as error:
            if not self._singly:
                self._singly = limit
                raise KafkaError("a record cannot be read") from error
            _step_over(consumer, error)
            return {}
        self._singly = max(0, self._singly - 1)
        return dict(found)

    async def _joined(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            async with asyncio.timeout(REQUEST_SECONDS):
                await ensure_topics(self._servers, (self._topic, dead_topic(self._topic)))
                self._consumer = await self._started()
        return self._consumer

    async def _started(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=list(self._servers),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            request_timeout_ms=_REQUEST_MS,
            retry_backoff_ms=_RETRY_MS,
            metadata_max_age_ms=_METADATA_MS,
        )
        try:
            await start(consumer)
            # Only now: start() would wait for the first assignment, however long.
            consumer.subscribe([self._topic])
        except BaseException:
            await _stop(consumer)
            raise
        return consumer

    def _offsets(self, messages: Sequence[Message]) -> dict[TopicPartition, int]:
        assigned = set() if self._consumer is None else self._consumer.assignment()
        offsets: dict[TopicPartition, int] = {}
        for message in messages:
            partition = TopicPartition(self._topic, message.partition)
            if partition in assigned:
                offsets[partition] = max(offsets.get(partition, 0), message.offset + 1)
        return offsets


def _message(record: Any) -> Message:
    return Message(
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value or b"",
        headers=tuple(record.headers),
    )


def _step_over(consumer: AIOKafkaConsumer, error: UnicodeDecodeError) -> None:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        # Where it is, that frame alone knows. A batch is read from its start, so its rest is lost.
        if frame.f_code is PartitionRecords._unpack_records.__code__:  # noqa: SLF001 as it is named
            partition, first = frame.f_locals["tp"], frame.f_locals["self"].next_fetch_offset
            after = frame.f_locals["next_batch"].next_offset
            consumer.seek(partition, after)
            log.error(
                "messages are left out: a header's name is not UTF-8",
                partition=partition.partition,
                first=first,
                last=after - 1,
            )
            return
    raise error


def _check(consumer: Any) -> None:
    # Of all its tasks this one alone may end unnoticed, and then nothing comes any more.
    if consumer._fetcher.error_future.done():  # noqa: SLF001 no public way tells it
        raise KafkaError("the consumer fetches no longer")


async def _stop(consumer: Any) -> None:
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait({stopping}, timeout=_CLOSE_SECONDS)
    if not stopping.done():
        log.warning("left the group without a word, the others will miss this member")
    # It waits for brokers, and in a rebalance for members that died; cut off, it ends.
    await consumer._client.close()  # noqa: SLF001 there is no other way to hurry it
    await asyncio.wait({stopping}, timeout=1.0)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    fetcher = consumer._fetcher  # noqa: SLF001 what stop() ends last, if it comes so far
    if fetcher is not None:
        # One that it has ended already may tell of tasks that were cancelled.
        await asyncio.gather(fetcher.close(), return_exceptions=True)


@asynccontextmanager
async def open_source(url: str, *, topic: str, group: str) -> AsyncIterator[KafkaSource]:
    """The source for `kafka://HOST:PORT[,HOST:PORT]`, whether Kafka is there yet or not."""
    servers = servers_of(url)
    async with open_publisher(servers, (dead_topic(topic),)) as publisher:
        source = KafkaSource(servers, topic, group, DeadLetters(publisher, topic))
        try:
            yield source
        finally:
            await source.close()
