"""Forgets events that are older than they are kept."""

from dataclasses import dataclass

from prometheus_client import Counter

from mesh.clock import Clock
from svc_analytics.domain.window import SECOND_US
from svc_analytics.ports import UsageStore

# Small enough that a delivery waiting for the write lock hardly notices.
BATCH = 500
EXPIRED = Counter("analytics_events_expired", "Usage events deleted after their retention.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Deletes in bounded transactions until nothing older is left."""

    store: UsageStore
    clock: Clock
    batch: int = BATCH

    async def __call__(self, *, retention_seconds: float) -> int:
        """How many events were deleted; one exactly that old is kept."""
        cutoff_us = self.clock.now_us() - round(retention_seconds * SECOND_US)
        total = 0
        while True:
            deleted = await self.store.delete_before(cutoff_us, limit=self.batch)
            EXPIRED.inc(deleted)
            total += deleted
            if deleted < self.batch:
                return total
