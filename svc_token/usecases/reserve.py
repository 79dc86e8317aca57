"""Bucket first, pool second, both or neither: what every spend begins with."""

from dataclasses import dataclass, replace

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError, CommitUnknownError, invalid
from mesh.identity.principal import Principal
from mesh.telemetry.tracing.spans import carried
from svc_token.domain.bucket import BucketRule, Decision
from svc_token.domain.reservation import Reservation
from svc_token.domain.spend import Spend
from svc_token.ports import DeniedEvents, Limits
from svc_token.usecases.ask_bucket import AskBucket
from svc_token.usecases.hold_tokens import HoldTokens
from svc_token.usecases.owner_roles import OwnerRoles

_NO_TOKENS = {reason_pb2.REASON_INSUFFICIENT_QUOTA, reason_pb2.REASON_MEMBER_CAP_EXCEEDED}


class RateLimitedError(Exception):
    """The bucket is too full; `decision` says for how long."""

    def __init__(self, decision: Decision) -> None:
        super().__init__("rate limited")
        self.decision = decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was taken for a spend; no reservation where quotas are not enforced."""

    spend: Spend
    rule: BucketRule
    decision: Decision
    reservation: Reservation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveTokens:
    """Takes a spend's tokens from the user's bucket and the owner's pool.

    Must not be cut short: `finisher` of whoever calls it sees to that.
    """

    ask_bucket: AskBucket
    hold_tokens: HoldTokens
    denied: DeniedEvents
    limits: Limits
    owner_roles: OwnerRoles
    clock: Clock
    ids: Ids

    async def __call__(self, spend: Spend, principal: Principal, *, id_: str, ttl_us: int) -> Held:
        """What is held.

        Raises RateLimitedError, and AppError UNKNOWN_PROVIDER, PROVIDER_DISABLED,
        COST_EXCEEDS_CAPACITY, INSUFFICIENT_QUOTA, MEMBER_CAP_EXCEEDED,
        RESERVATION_CONFLICT or UNAVAILABLE; nothing is held then.
        """
        self.limits.usable(spend.provider)
        roles = await self.owner_roles(spend.user_id, principal)
        rule = self.limits.bucket(roles, spend.provider)
        if spend.tokens > rule.capacity:
            raise _too_large(spend.tokens, rule)
        decision = await self.ask_bucket(spend, rule)
        if not decision.allowed:
            self._refuse(spend, "RATE_LIMITED")
            raise RateLimitedError(decision)
        try:
            reservation = await self._hold(spend, roles, decision, id_=id_, ttl_us=ttl_us)
        except CommitUnknownError:
            # The hold may stand, and what was taken for it is given back at its end: a bucket
            # may be stricter than it need be, never looser.
            raise
        except BaseException:
            await self.ask_bucket.undo(spend, rule, decision)
            raise
        if reservation is not None and reservation.repeated:
            # The bucket gave for the first time what this one asks for again.
            await self.ask_bucket.undo(spend, rule, decision)
            decision = replace(decision, taken=None)
        return Held(spend=spend, rule=rule, decision=decision, reservation=reservation)

    async def give_back(self, held: Held) -> None:
        """Lets go of everything. Raises AppError when the call's time is up first."""
        try:
            if held.reservation is not None:
                await self.hold_tokens.release(held.reservation.id, held.spend)
        finally:
            await self.ask_bucket.undo(held.spend, held.rule, held.decision)

    async def _hold(
        self, spend: Spend, roles: frozenset[str], decision: Decision, *, id_: str, ttl_us: int
    ) -> Reservation | None:
        if not self.limits.quotas_enforced:
            return None
        try:
            return await self.hold_tokens(spend, roles, decision, id_=id_, ttl_us=ttl_us)
        except AppError as error:
            if error.reason in _NO_TOKENS:
                self._refuse(spend, error.outcome.name)
            raise

    def _refuse(self, spend: Spend, reason: str) -> None:
        event = spend.event(
            self.ids.new(),
            self.clock.now_us(),
            allowed=False,
            reason=reason,
            traceparent=carried(),
        )
        self.denied.offer(event)


def _too_large(tokens: int, rule: BucketRule) -> AppError:
    error = invalid("tokens", f"{tokens} exceed the bucket's capacity of {rule.capacity}")
    return AppError(
        reason_pb2.REASON_COST_EXCEEDS_CAPACITY, error.message, violations=error.violations
    )
