"""Freeing what calls that never came back hold."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_token.domain.book import Release
from svc_token.domain.reservation import ReservationConflictError
from svc_token.ports import Ledger, Limits, Pools

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireOrphans:
    """Expires reservations whose time is up; a settle that comes later is still charged."""

    pools: Pools
    ledger: Ledger
    limits: Limits
    clock: Clock

    async def __call__(self) -> int:
        """How many were expired."""
        now = self.clock.now_us()
        orphans = await self.pools.orphans(now, BATCH)
        for orphan in orphans:
            release = Release(
                id=orphan.id,
                pool=orphan.pool,
                window=self.limits.window(now),
                now_us=now,
                expired=True,
            )
            try:
                await self.ledger.submit(release)
            except ReservationConflictError:
                # Settled since it was read: it is no orphan.
                continue
        return len(orphans)
