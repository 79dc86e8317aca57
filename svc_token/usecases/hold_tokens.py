"""Tokens held in a pool while a provider is asked: reserved, then charged or let go."""

import math
from dataclasses import dataclass

import structlog
from prometheus_client import Gauge

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from mesh.finisher import Finisher
from svc_token.domain.operations import Emit, Operation, Release, Reserve, Settle
from svc_token.domain.owner import OwnerKind
from svc_token.domain.pool import InsufficientTokensError
from svc_token.domain.spend import Spend
from svc_token.ports import Ledger, Limits
from svc_token.usecases.insist import insist, passing

log = structlog.get_logger("consume")
UNENFORCED = "unenforced"
UNFINISHED = Gauge("token_holds_unfinished", "Holds whose end waits for a store that is away.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTokens:
    """Reserves for a spend, and ends the hold; both ends may be repeated.

    An end that the store does not take in the call's time is tried on after it,
    for as long as this process lives; after that the sweeper frees the hold.
    """

    ledger: Ledger
    limits: Limits
    clock: Clock
    ids: Ids
    finisher: Finisher

    async def __call__(self, spend: Spend, roles: frozenset[str]) -> str | None:
        """The hold's id, None where quotas are not enforced. Raises AppError INSUFFICIENT_QUOTA."""
        if not self.limits.quotas_enforced:
            return None
        now = self.clock.now_us()
        personal = spend.pool.owner.kind is OwnerKind.USER
        reserve = Reserve(
            id=self.ids.new(),
            pool=spend.pool,
            user_id=spend.user_id,
            tokens=spend.tokens,
            allowance=self.limits.allowance(roles) if personal else None,
            window=self.limits.window(now),
            now_us=now,
            expires_us=now + self.limits.hold_us,
        )
        try:
            await self.ledger.submit(reserve)
        except InsufficientTokensError:
            raise AppError(
                reason_pb2.REASON_INSUFFICIENT_QUOTA, "insufficient token quota"
            ) from None
        return reserve.id

    async def release(self, hold: str | None, spend: Spend) -> None:
        """Lets go of all of it. Raises AppError when the call's time is up first."""
        if hold is None:
            return
        now = self.clock.now_us()
        window = self.limits.window(now)
        await self._do(Release(id=hold, pool=spend.pool, window=window, now_us=now))

    async def settle(self, hold: str | None, spend: Spend) -> None:
        """Charges all of it, and tells of it. Raises AppError when the call's time is up first."""
        now = self.clock.now_us()
        if hold is None:
            event = spend.event(self.ids.new(), now, reason=UNENFORCED)
            await self._do(Emit(event=event))
            return
        settle = Settle(
            id=hold,
            pool=spend.pool,
            tokens=spend.tokens,
            event=spend.event(self.ids.new(), now),
            window=self.limits.window(now),
            now_us=now,
        )
        await self._do(settle)

    async def _do(self, operation: Operation) -> None:
        try:
            await insist(lambda: self.ledger.submit(operation))
        except AppError as error:
            if not passing(error):
                raise
            # The call's time is up; what was used is charged when the store is back.
            log.warning("a hold outlives its call", reason=error.outcome.name)
            self.finisher.begin(self._do_later(operation))
            raise

    async def _do_later(self, operation: Operation) -> None:
        with UNFINISHED.track_inprogress():
            await insist(lambda: self.ledger.submit(operation), seconds=math.inf)
