"""The outbox with the ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference
from svc_token.domain.audit.events import (
    SettleAudit,
    event_in,
    event_of,
    queued_differences,
    unknown,
)
from svc_token.domain.owner import PoolKey
from svc_token.reconcile_ports import Audit
from svc_token.usecases.reconcile.comparison import Compared, pages


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOutbox:
    """What waits with the lines that it tells of, and the other way round."""

    audit: Audit
    what: str = "the outbox with the ledger"

    async def __call__(self, _compared: Compared) -> AsyncIterator[Difference]:
        """The differences."""
        named: set[str] = set()
        async for settled in pages(self.audit.settled, line_key):
            for one in settled:
                if one.queued is not None:
                    event = event_of(one.line)
                    named.add(event.event_id)
                    for difference in queued_differences(event, one.queued):
                        yield difference
        async for rows in pages(self.audit.outbox, lambda row: row.seq):
            # Who looks for the others' lines reads all that their owners have.
            left = (row for row in rows if row.event_id not in named)
            events = [event for event in map(event_in, left) if event is not None]
            enforced = [event for event in events if event.allowed and not event.reason]
            for event in await self.audit.strangers(enforced):
                yield unknown("the outbox", event)


def line_key(one: SettleAudit) -> tuple[PoolKey, int]:
    """Where a page ends."""
    return one.line.pool, one.line.seq
