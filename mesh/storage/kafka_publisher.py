"""Writing to Kafka: a batch is acknowledged as a whole, in time, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from mesh.storage.kafka import AWAY, REQUEST_SECONDS, known_topics, start, unavailable

log = structlog.get_logger("kafka")
# A relay's whole batch for one partition fits, and stays below a broker's own bound of 1 MiB.
_BATCH_BYTES = 512 * 1024
# No other try will end differently, whatever the brokers do.
_NEVER = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTimestampError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message; records with equal keys stay in order."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...] = ()


class RejectedRecordsError(Exception):
    """At least one of the records will never be taken as it is."""


class RefusedTopicsError(RejectedRecordsError):
    """These topics are not there, and are not to be created or not ours to write to."""

    def __init__(self, topics: Collection[str]) -> None:
        super().__init__(", ".join(sorted(topics)))
        self.topics = frozenset(topics)


class Publisher:
    """An idempotent producer, opened at the first use and again after each failure.

    After a failure the producer's sequence numbers have a gap, for which the
    broker would refuse all that follows, and it would send for ever what its
    caller has given up. So it is left, and the next batch has a new one.
    """

    def __init__(self, servers: Sequence[str], topics: Sequence[str]) -> None:
        self._servers = servers
        self._topics = topics
        self._producer: AIOKafkaProducer | None = None
        # Topics that were there when it was opened, or asked for since.
        self._known: frozenset[str] = frozenset()
        self._opening = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns when every in-sync replica has all of them; within three seconds or so.

        Raises RejectedRecordsError (RefusedTopicsError where all is the topics'
        fault), or AppError UNAVAILABLE when it is to be tried later; in each case
        some may have been taken.
        """
        producer = None
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                producer = await self._open()
                await self._look_for({record.topic for record in records})
                await _send(producer, records)
        except RefusedTopicsError:
            self._leave(producer)
            raise
        except _NEVER as error:
            self._leave(producer)
            raise RejectedRecordsError from error
        except AWAY as error:
            self._leave(producer)
            raise unavailable(error) from error

    async def close(self) -> None:
        """Waits three seconds for what is on the wire, and gives up the rest."""
        self._leave(self._producer)
        left = list(self._leaving)
        if left:
            await asyncio.wait(left, timeout=REQUEST_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                self._known = await known_topics(self._servers, self._topics)
                self._producer = await self._started()
            return self._producer

    async def _look_for(self, topics: Collection[str]) -> None:
        # Sent to a topic that is not there, the whole batch would wait for it in vain.
        if not self._known.issuperset(topics):
            self._known = await known_topics(self._servers, ())
        missing = set(topics) - self._known
        if missing:
            raise RefusedTopicsError(missing)

    async def _started(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=list(self._servers),
            enable_idempotence=True,
            acks="all",
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
        )
        try:
            await start(producer)
        except BaseException:
            self._leave(producer)
            raise
        return producer

    def _leave(self, producer: AIOKafkaProducer | None) -> None:
        if producer is None:
            return
        if producer is self._producer:
            self._producer = None
        task = asyncio.ensure_future(_abandon(producer))
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: "asyncio.Task[None]") -> None:
        self._leaving.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a producer was not closed in order", exc_info=task.exception())


async def _send(producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
    sent: list[asyncio.Future[Any]] = []
    try:
        for record in records:
            future = await producer.send(
                record.topic, record.value, record.key, headers=list(record.headers)
            )
            sent.append(future)
        results = await asyncio.gather(*sent, return_exceptions=True)
    except BaseException:
        for future in sent:
            future.cancel()
        raise
    # What follows a refused record in its partition fails too, for another reason.
    failures = [result for result in results if isinstance(result, BaseException)]
    refused = {
        record.topic
        for record, result in zip(records, results, strict=True)
        if isinstance(result, TopicAuthorizationFailedError)
    }
    if refused:
        raise RefusedTopicsError(refused)
    for failure in sorted(failures, key=lambda one: not isinstance(one, _NEVER)):
        raise failure


async def _abandon(producer: Any) -> None:
    # Its stop() would wait until all is acknowledged, and it never gives up.
    producer._closed = True  # noqa: SLF001 what stop() does first
    try:
        await producer._sender.close()  # noqa: SLF001 waits for requests on the wire, no longer
    finally:
        await producer.client.close()


@asynccontextmanager
async def open_publisher(servers: Sequence[str], topics: Sequence[str]) -> AsyncIterator[Publisher]:
    """A publisher to these topics, which it creates when they are missing."""
    publisher = Publisher(servers, topics)
    try:
        yield publisher
    finally:
        await publisher.close()
