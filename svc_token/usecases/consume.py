"""Spending tokens at a provider: bucket first, pool second, charge what was answered."""

from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError, invalid
from mesh.finisher import Finisher
from mesh.identity.principal import Principal
from svc_token.domain.bucket import BucketRule, Decision
from svc_token.domain.spend import Spend
from svc_token.ports import DeniedEvents, Limits, Providers
from svc_token.usecases.ask_bucket import AskBucket
from svc_token.usecases.hold_tokens import HoldTokens
from svc_token.usecases.owner_roles import OwnerRoles


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """How the bucket stands, and the provider's JSON."""

    decision: Decision
    answer: bytes
    at_us: int


class RateLimitedError(Exception):
    """The bucket is too full; `decision` says for how long."""

    def __init__(self, decision: Decision, at_us: int) -> None:
        super().__init__("rate limited")
        self.decision = decision
        self.at_us = at_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Consume:
    """Runs to its end once begun, also when the caller goes away: no hold is left behind.

    One gap is left: when the store goes away between the provider's
    answer and the charge, and stays away for the rest of the call's time, the
    sweeper frees tokens that were used.
    """

    ask_bucket: AskBucket
    hold_tokens: HoldTokens
    providers: Providers
    denied: DeniedEvents
    limits: Limits
    owner_roles: OwnerRoles
    clock: Clock
    ids: Ids
    finisher: Finisher

    async def __call__(self, spend: Spend, principal: Principal) -> Spent:
        """What was spent.

        Raises RateLimitedError, and AppError UNKNOWN_PROVIDER, PROVIDER_DISABLED,
        COST_EXCEEDS_CAPACITY, INSUFFICIENT_QUOTA, PROVIDER_CALL_FAILED or
        UNAVAILABLE; nothing is charged then.
        """
        self.limits.usable(spend.provider)
        roles = await self.owner_roles(spend.user_id, principal)
        rule = self.limits.bucket(roles)
        if spend.tokens > rule.capacity:
            raise _too_large(spend.tokens, rule)
        return await self.finisher.finish(self._spend(spend, roles, rule))

    async def _spend(self, spend: Spend, roles: frozenset[str], rule: BucketRule) -> Spent:
        decision = await self.ask_bucket(spend, rule)
        if not decision.allowed:
            self._refuse(spend, "RATE_LIMITED")
            raise RateLimitedError(decision, self.clock.now_us())
        try:
            hold = await self._hold(spend, roles)
            answer = await self._ask(hold, spend)
        except BaseException:
            await self.ask_bucket.undo(spend, rule, decision)
            raise
        # What was answered has been used: from here on nothing is given back.
        await self.hold_tokens.settle(hold, spend)
        return Spent(decision=decision, answer=answer, at_us=self.clock.now_us())

    async def _hold(self, spend: Spend, roles: frozenset[str]) -> str | None:
        try:
            return await self.hold_tokens(spend, roles)
        except AppError as error:
            if error.reason == reason_pb2.REASON_INSUFFICIENT_QUOTA:
                self._refuse(spend, "INSUFFICIENT_QUOTA")
            raise

    async def _ask(self, hold: str | None, spend: Spend) -> bytes:
        try:
            return await self.providers.complete(
                spend.provider,
                prompt=spend.prompt,
                tokens=spend.tokens,
                request_id=hold or self.ids.new(),
            )
        except BaseException:
            await self.hold_tokens.release(hold, spend)
            raise

    def _refuse(self, spend: Spend, reason: str) -> None:
        event = spend.event(self.ids.new(), self.clock.now_us(), allowed=False, reason=reason)
        self.denied.offer(event)


def _too_large(tokens: int, rule: BucketRule) -> AppError:
    error = invalid("tokens", f"{tokens} exceed the bucket's capacity of {rule.capacity}")
    return AppError(
        reason_pb2.REASON_COST_EXCEEDS_CAPACITY, error.message, violations=error.violations
    )
