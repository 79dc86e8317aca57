"""Bringing committed events to where they are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from svc_token.domain.events import OutboxRow
from svc_token.ports import EventSink, Outbox, RejectedBatchError

log = structlog.get_logger("outbox")
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOutbox:
    """At least once: a crash between publishing and noting it sends the batch again.

    One process at a time, so that an owner's events leave in their order.
    """

    outbox: Outbox
    sink: EventSink

    async def __call__(self) -> int:
        """How many rows one round took off. Raises AppError when the receiver is away."""
        async with self.outbox.turn() as mine:
            rows = await self.outbox.pending(BATCH) if mine else ()
            if rows:
                await self._publish(rows)
        return len(rows)

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        try:
            await self.sink.publish(rows)
        except RejectedBatchError:
            await self._isolate(rows)
            return
        await self.outbox.delivered([row.seq for row in rows])

    async def _isolate(self, rows: Sequence[OutboxRow]) -> None:
        if len(rows) == 1:
            log.error("an event that nobody takes is parked", event_id=rows[0].event_id)
            await self.outbox.park(rows[0].seq)
            return
        middle = len(rows) // 2
        await self._publish(rows[:middle])
        await self._publish(rows[middle:])
