"""Events that no receiver takes: looking at them, and sending them again."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mesh.errors import invalid
from svc_token.domain.events import ParkedRow
from svc_token.ports import Outbox

MOST = 1_000
log = structlog.get_logger("outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListParked:
    """What is set aside."""

    outbox: Outbox

    async def __call__(self, limit: int, after_seq: int) -> Sequence[ParkedRow]:
        """A page, in the order of their commits."""
        return await self.outbox.parked(limit, after=after_seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequeueParked:
    """Puts back what is set aside, for good when its cause is gone."""

    outbox: Outbox

    async def __call__(self, event_ids: Sequence[str], *, everything: bool) -> Sequence[str]:
        """The ids of those that were parked. Raises INVALID_ARGUMENT for none, or too many."""
        if everything == bool(event_ids):
            raise invalid("event_ids", "must be there, or all, and not both")
        if len(event_ids) > MOST:
            raise invalid("event_ids", f"must be at most {MOST}")
        done = await self.outbox.requeue(None if everything else event_ids)
        if done:
            log.info("parked events are sent again", events=len(done))
        return done
