"""Tokens held in a pool while a provider is asked: reserved, then charged or let go."""

from dataclasses import dataclass

import structlog

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from svc_token.domain.book import Emit, Operation, Release, Reserve, Settle
from svc_token.domain.owner import OwnerKind
from svc_token.domain.pool import InsufficientTokensError
from svc_token.domain.spend import Spend
from svc_token.ports import Ledger, Limits
from svc_token.usecases.insist import insist

log = structlog.get_logger("consume")
UNENFORCED = "unenforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTokens:
    """Reserves for a spend, and ends the hold; both ends may be repeated."""

    ledger: Ledger
    limits: Limits
    clock: Clock
    ids: Ids

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
        """Lets go of all of it. Raises AppError while the store stays away."""
        if hold is None:
            return
        now = self.clock.now_us()
        window = self.limits.window(now)
        await self._do(Release(id=hold, pool=spend.pool, window=window, now_us=now))

    async def settle(self, hold: str | None, spend: Spend) -> None:
        """Charges all of it, and tells of it. Raises AppError while the store stays away."""
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
            # The sweeper frees the hold when its time is up, also of what was used.
            log.error(  # noqa: TRY400 what happened says its reason, not a traceback
                "a hold could not be ended",
                operation=type(operation).__name__.lower(),
                hold=getattr(operation, "id", None),
                reason=error.outcome.name,
            )
            raise
