"""Takes usage events from where they lie, for as long as the service runs."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.finisher import to_its_end
from mesh.resilience.backoff import Backoff
from mesh.telemetry.tracing.links import taking
from svc_analytics.domain.message import Message
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageSource
from svc_analytics.usecases.ingest import INGESTED, MOST_EVENTS, Ingest

T = TypeVar("T")
# How long the last batch has to end when the service stops.
DRAIN_SECONDS = 3.0
log = structlog.get_logger("usage consumer")
_FROM_TOPIC = {"messaging.system": "kafka", "messaging.operation.type": "process"}
_RECEIVED = failpoint("consumer.received")
_STORED = failpoint("consumer.stored")
_COMMITTED = failpoint("consumer.committed")


class _RefusedError(Exception):
    """No other try will do."""

    def __init__(self, error: AppError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageConsumer:
    """Store, then say done: a crash in between delivers again, and an id counts once.

    `read` raises AppError for a message that can never be stored. Such a
    message is set aside, so that it holds nobody up.
    """

    source: UsageSource
    read: Callable[[bytes], UsageEvent]
    ingest: Ingest
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.2, cap=5.0))
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self) -> None:
        """Until cancelled, and then to the end of the batch in hand, within three seconds."""
        while True:
            receive = partial(self.source.receive, MOST_EVENTS)
            messages = await self._insist("receive", receive)
            _RECEIVED()
            await to_its_end(self._settle(messages), DRAIN_SECONDS)

    async def _settle(self, messages: Sequence[Message]) -> None:
        with taking("process usage", _FROM_TOPIC, (one.traceparent for one in messages)):
            await self._settled(messages)

    async def _settled(self, messages: Sequence[Message]) -> None:
        events: list[tuple[Message, UsageEvent]] = []
        for message in messages:
            try:
                events.append((message, self.read(message.value)))
            except AppError as error:
                await self._set_aside(message, error)
        if events:
            await self._store(events)
        _STORED()
        await self._insist("commit", partial(self.source.done, messages))
        _COMMITTED()

    async def _store(self, events: Sequence[tuple[Message, UsageEvent]]) -> None:
        """Halves what the store refuses until what it will never take stands alone."""
        try:
            await self._insist("store", partial(self.ingest, [event for _, event in events]))
        except _RefusedError as refused:
            if len(events) == 1:
                await self._set_aside(events[0][0], refused.error)
                return
            middle = len(events) // 2
            await self._store(events[:middle])
            await self._store(events[middle:])

    async def _set_aside(self, message: Message, error: AppError) -> None:
        reason = f"{error.outcome.name}: {error.message}"
        await self._insist("set aside", partial(self.source.bury, message, reason))
        INGESTED.of("dead").inc()
        log.warning(
            "a message that can never be stored is set aside",
            partition=message.partition,
            offset=message.offset,
            reason=reason,
        )

    async def _insist(self, step: str, work: Callable[[], Awaitable[T]]) -> T:
        for attempt in itertools.count(1):
            try:
                return await work()
            except AppError as error:
                if error.reason == REASON_INVALID_ARGUMENT:
                    raise _RefusedError(error) from error
                log.warning(
                    "will try again", step=step, reason=error.outcome.name, error=error.message
                )
            except Exception:
                # A fault of ours here must not take the reads down.
                log.exception("unexpected error, will try again", step=step)
            await self.pause(self.backoff.delay(attempt))
        raise AssertionError
