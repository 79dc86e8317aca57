"""Tokens held in a pool while a provider is asked: reserved, then charged or let go."""

from dataclasses import dataclass

import structlog

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.telemetry.tracing.spans import carried
from svc_token.domain.bucket import Decision
from svc_token.domain.entry import Provenance
from svc_token.domain.idempotency import Answer
from svc_token.domain.member import MemberCapExceededError
from svc_token.domain.operations import Emit, Operation, Release, Reserve, Settle
from svc_token.domain.owner import OwnerKind
from svc_token.domain.pool import InsufficientTokensError
from svc_token.domain.reservation import (
    Reservation,
    ReservationConflictError,
    ReservationNotFoundError,
)
from svc_token.domain.spend import Spend
from svc_token.ports import Ledger, Limits
from svc_token.usecases.end_later import EndLater
from svc_token.usecases.insist import insist, passing
from svc_token.usecases.tell_later import TellLater

log = structlog.get_logger("consume")
UNENFORCED = "unenforced"
_RESERVING = failpoint("reserve.before")
_RESERVED = failpoint("reserve.after")
_SETTLING = failpoint("settle.before")
_SETTLED = failpoint("settle.after")
_RELEASING = failpoint("release.before")
_RELEASED = failpoint("release.after")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTokens:
    """Reserves for a spend, and ends the hold; both ends may be repeated.

    An end that the store does not take in the call's time is tried on after it.
    """

    ledger: Ledger
    limits: Limits
    clock: Clock
    ids: Ids
    end_later: EndLater
    tell_later: TellLater

    async def __call__(
        self, spend: Spend, roles: frozenset[str], decision: Decision, *, id_: str, ttl_us: int
    ) -> Reservation:
        """The reservation, which is `repeated` when the id has one already.

        Raises AppError INSUFFICIENT_QUOTA, MEMBER_CAP_EXCEEDED or RESERVATION_CONFLICT.
        """
        now = self.clock.now_us()
        pool = spend.pool
        personal = pool.owner.kind is OwnerKind.USER
        reserve = Reserve(
            id=id_,
            pool=pool,
            user_id=spend.user_id,
            tokens=spend.tokens,
            allowance=self.limits.allowance(roles) if personal else None,
            window=self.limits.window(now),
            now_us=now,
            expires_us=now + ttl_us,
            bucket_us=decision.taken.at_us if decision.taken else 0,
        )
        _RESERVING()
        reservation = await self._submit(reserve)
        _RESERVED()
        return reservation

    async def release(self, hold: str, spend: Spend) -> Reservation:
        """Lets go of all of it. Raises AppError when the call's time is up first."""
        now = self.clock.now_us()
        window = self.limits.window(now)
        _RELEASING()
        ended = await self._end(Release(id=hold, pool=spend.pool, window=window, now_us=now))
        _RELEASED()
        return ended

    async def settle(
        self,
        hold: str,
        spend: Spend,
        *,
        provenance: Provenance = Provenance.EXACT,
        answer: Answer | None = None,
    ) -> Reservation:
        """Charges what was spent, and tells of it; keeps `answer` in the same step.

        Raises AppError when the call's time is up first.
        """
        now = self.clock.now_us()
        settle = Settle(
            id=hold,
            pool=spend.pool,
            tokens=spend.tokens,
            event=spend.event(self.ids.new(), now, traceparent=carried()),
            window=self.limits.window(now),
            now_us=now,
            provenance=provenance,
            answer=answer,
        )
        _SETTLING()
        ended = await self._end(settle)
        _SETTLED()
        return ended

    async def tell(self, spend: Spend, *, answer: Answer | None = None) -> None:
        """Tells of tokens that were spent while no quota is enforced, perhaps after the call.

        Raises AppError when the call's time is up first.
        """
        now = self.clock.now_us()
        event = spend.event(self.ids.new(), now, reason=UNENFORCED, traceparent=carried())
        emit = Emit(event=event, answer=answer)
        try:
            await insist(lambda: self._submit_any(emit))
        except AppError as error:
            if passing(error):
                self.tell_later(emit)
            raise

    async def _end(self, operation: Settle | Release) -> Reservation:
        try:
            reservation = await insist(lambda: self._submit_any(operation))
        except AppError as error:
            if not passing(error):
                raise
            # The call's time is up; what was used is charged when the store is back.
            log.warning("a hold outlives its call", reason=error.outcome.name)
            self.end_later(operation)
            raise
        if reservation is None:
            raise RuntimeError("a reservation ended without an answer")
        return reservation

    async def _submit(self, reserve: Reserve) -> Reservation:
        reservation = await self._submit_any(reserve)
        if reservation is None:
            raise RuntimeError("a reservation began without an answer")
        return reservation

    async def _submit_any(self, operation: Operation) -> Reservation | None:
        try:
            return await self.ledger.submit(operation)
        except tuple(_REFUSALS) as refusal:
            reason, message = _REFUSALS[type(refusal)]
            raise AppError(reason, message) from None


_REFUSALS: dict[type[Exception], tuple[reason_pb2.Reason.ValueType, str]] = {
    InsufficientTokensError: (reason_pb2.REASON_INSUFFICIENT_QUOTA, "insufficient token quota"),
    MemberCapExceededError: (
        reason_pb2.REASON_MEMBER_CAP_EXCEEDED,
        "the member's share of the organisation's tokens is used up",
    ),
    ReservationConflictError: (
        reason_pb2.REASON_RESERVATION_CONFLICT,
        "the reservation has other content, or has ended otherwise",
    ),
    ReservationNotFoundError: (reason_pb2.REASON_RESERVATION_NOT_FOUND, "no such reservation"),
}
