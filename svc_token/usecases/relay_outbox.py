"""Bringing committed events to where they are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from mesh.clock import Clock
from mesh.failpoints import failpoint
from svc_token.domain.events import OutboxRow
from svc_token.domain.shards import shard_of
from svc_token.ports import EventSink, Outbox, RefusedTopicsError, RejectedBatchError
from svc_token.usecases.hold_shards import HoldShards

log = structlog.get_logger("outbox")
# As many as svc_analytics takes in one call.
BATCH = 1_000
# A key and a topic: what its order is kept within.
Stream = tuple[str, str]
_LEASED = failpoint("outbox.leased")
_PUBLISHING = failpoint("outbox.publish.before")
_PUBLISHED = failpoint("outbox.publish.after")
_DELIVERED = failpoint("outbox.delivered")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOutbox:
    """At least once, and a key's events on a topic in the order of their commits.

    Each shard is in the hands of one process, whose lease is looked at before
    each batch. What no lease can prevent: a process that dies, or is held up for
    longer than its lease lasts, between publishing a batch and noting it, has
    its batch sent again by another, and what it had on the wire may then
    arrive after that. Consumers know events by their ids and keep each once.
    """

    outbox: Outbox
    sink: EventSink
    hold: HoldShards
    clock: Clock

    async def __call__(self) -> int:
        """How many rows one round took off or set aside.

        Raises AppError when the receiver is away, or the store.
        """
        fences = await self.hold()
        _LEASED()
        rows = await self.outbox.pending(BATCH, shards=sorted(fences))
        if rows:
            await _Round(relay=self, fences=fences).publish(rows)
        return len(rows)


@dataclass(slots=True, kw_only=True)
class _Round:
    """One batch, and the fences of the leases that it was read under, as far as they hold."""

    relay: RelayOutbox
    fences: Mapping[int, int]

    async def publish(self, rows: Sequence[OutboxRow]) -> frozenset[Stream]:
        """What is blocked from now on: what followed in the batch is left where it is."""
        rows = await self._held(rows)
        if not rows:
            return frozenset()
        try:
            _PUBLISHING()
            await self.relay.sink.publish(rows)
            _PUBLISHED()
        except RefusedTopicsError as refused:
            return await self._without(rows, refused.topics)
        except RejectedBatchError:
            return await self._isolate(rows)
        await self.relay.outbox.delivered([row.seq for row in rows])
        _DELIVERED()
        return frozenset()

    async def _held(self, rows: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
        """Without those of shards that may have been another's since they were read.

        A shard that is lost stays so for the round: what comes later in it must not go first.
        """
        now = await self.relay.hold()
        self.fences = {
            shard: fence for shard, fence in self.fences.items() if now.get(shard) == fence
        }
        return [row for row in rows if shard_of(row.key) in self.fences]

    async def _without(
        self, rows: Sequence[OutboxRow], topics: frozenset[str]
    ) -> frozenset[Stream]:
        """One topic's trouble is not another's: what is for these is set aside."""
        lost = [row for row in rows if row.topic in topics]
        log.error("events that have no topic are parked", topics=sorted(topics), events=len(lost))
        return await self._park(lost) | await self.publish(
            [row for row in rows if row.topic not in topics]
        )

    async def _isolate(self, rows: Sequence[OutboxRow]) -> frozenset[Stream]:
        """Halves what is rejected until what nobody takes stands alone."""
        if len(rows) == 1:
            log.error("an event that nobody takes is parked", event_id=rows[0].event_id)
            return await self._park(rows)
        middle = len(rows) // 2
        blocked = await self.publish(rows[:middle])
        rest = [row for row in rows[middle:] if _stream(row) not in blocked]
        return blocked | await self.publish(rest)

    async def _park(self, rows: Sequence[OutboxRow]) -> frozenset[Stream]:
        await self.relay.outbox.park([row.seq for row in rows], self.relay.clock.now_us())
        return frozenset(map(_stream, rows))


def _stream(row: OutboxRow) -> Stream:
    return row.key, row.topic
