"""Delivers committed events for as long as the service runs, and then lets others do it."""

from dataclasses import dataclass

import structlog

from mesh.finisher import to_its_end
from svc_token.usecases.hold_shards import HoldShards
from svc_token.usecases.relay_outbox import BATCH, RelayOutbox
from svc_token.workers.draining import given_back
from svc_token.workers.loops import Loop

# How long the last batch has to end when the service stops.
DRAIN_SECONDS = 3.0
log = structlog.get_logger("outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRelay:
    """One round after another; `pause` is in seconds, for when all is delivered."""

    relay: RelayOutbox
    hold: HoldShards
    pause: float

    async def __call__(self) -> None:
        """Until cancelled, and then to the end of the batch in hand."""
        loop = Loop(name="outbox relay", work=self._round, pause=lambda: self.pause)
        try:
            await loop.run()
        finally:
            await given_back(self.hold.give_back, log, "the others wait until the leases end")

    async def _round(self) -> bool:
        return await to_its_end(self.relay(), DRAIN_SECONDS) == BATCH
