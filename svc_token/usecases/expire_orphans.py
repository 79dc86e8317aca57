"""Freeing what calls that never came back hold."""

import asyncio
from dataclasses import dataclass

from mesh.clock import Clock
from mesh.failpoints import failpoint
from svc_token.domain.operations import Release
from svc_token.domain.reservation import Reservation, ReservationConflictError
from svc_token.ports import Ledger, Limits, Pools

BATCH = 500
_FOUND = failpoint("sweeper.found")
_EXPIRED = failpoint("sweeper.expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireOrphans:
    """Expires reservations whose time is up; a settle that comes later is still charged."""

    pools: Pools
    ledger: Ledger
    limits: Limits
    clock: Clock

    async def __call__(self) -> int:
        """How many were expired. Raises what hinders one, after the others."""
        now = self.clock.now_us()
        orphans = await self.pools.orphans(now, BATCH)
        results = await asyncio.gather(
            *(self._expire(orphan, now) for orphan in orphans), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(orphans)

    async def _expire(self, orphan: Reservation, now_us: int) -> None:
        _FOUND()
        release = Release(
            id=orphan.id,
            pool=orphan.pool,
            window=self.limits.window(now_us),
            now_us=now_us,
            expired=True,
        )
        try:
            await self.ledger.submit(release)
            _EXPIRED()
        except ReservationConflictError:
            # Settled since it was read: it is no orphan.
            return
