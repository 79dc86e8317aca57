"""Spending tokens at a provider: bucket first, pool second, charge what was answered."""

from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError, invalid
from mesh.finisher import Finisher
from mesh.identity.principal import Principal
from svc_token.domain.book import Emit, Release, Reserve, Settle
from svc_token.domain.bucket import BucketRule, Decision
from svc_token.domain.events import UsageEvent
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import InsufficientTokensError
from svc_token.ports import Buckets, DeniedEvents, Ledger, Limits, Providers
from svc_token.usecases.owner_roles import OwnerRoles

UNENFORCED = "unenforced"


def bucket_key(user_id: str, provider: str) -> str:
    """A bucket's key, tagged by its user so that a cluster keeps it in one place."""
    return f"bucket:{{{user_id}}}:{provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What to spend, on whose account; an organisation's when one is named."""

    user_id: str
    org_id: str | None
    provider: str
    tokens: int
    prompt: str | None

    @property
    def pool(self) -> PoolKey:
        """The pool that pays."""
        return PoolKey(Owner.of(self.user_id, self.org_id), self.provider)

    @property
    def bucket(self) -> str:
        """The bucket that is asked first: the user's, whoever pays."""
        return bucket_key(self.user_id, self.provider)


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
    """Runs to its end once begun, also when the caller goes away: no hold is left behind."""

    buckets: Buckets
    ledger: Ledger
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
        COST_EXCEEDS_CAPACITY, INSUFFICIENT_QUOTA or PROVIDER_CALL_FAILED; nothing
        is charged then.
        """
        self.limits.usable(spend.provider)
        roles = await self.owner_roles(spend.user_id, principal)
        rule = self.limits.bucket(roles)
        if spend.tokens > rule.capacity:
            raise _too_large(spend.tokens, rule)
        return await self.finisher.finish(self._spend(spend, roles, rule))

    async def _spend(self, spend: Spend, roles: frozenset[str], rule: BucketRule) -> Spent:
        decision = await self.buckets.take(spend.bucket, spend.tokens, rule)
        if not decision.allowed:
            self._refuse(spend, "RATE_LIMITED")
            raise RateLimitedError(decision, self.clock.now_us())
        try:
            answer = await self._paid(spend, roles)
        except BaseException:
            await self.buckets.refund(spend.bucket, spend.tokens, rule)
            raise
        return Spent(decision=decision, answer=answer, at_us=self.clock.now_us())

    async def _paid(self, spend: Spend, roles: frozenset[str]) -> bytes:
        if not self.limits.quotas_enforced:
            return await self._unenforced(spend)
        hold = self.ids.new()
        await self._reserve(hold, spend, roles)
        try:
            answer = await self._call(hold, spend)
        except BaseException:
            await self._release(hold, spend)
            raise
        await self._settle(hold, spend)
        return answer

    async def _unenforced(self, spend: Spend) -> bytes:
        answer = await self._call(self.ids.new(), spend)
        event = self._event(spend, allowed=True, reason=UNENFORCED)
        await self.ledger.submit(Emit(event=event))
        return answer

    async def _reserve(self, hold: str, spend: Spend, roles: frozenset[str]) -> None:
        now = self.clock.now_us()
        personal = spend.pool.owner.kind is OwnerKind.USER
        reserve = Reserve(
            id=hold,
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
            self._refuse(spend, "INSUFFICIENT_QUOTA")
            raise AppError(
                reason_pb2.REASON_INSUFFICIENT_QUOTA, "insufficient token quota"
            ) from None

    async def _call(self, request_id: str, spend: Spend) -> bytes:
        return await self.providers.complete(
            spend.provider, prompt=spend.prompt, tokens=spend.tokens, request_id=request_id
        )

    async def _release(self, hold: str, spend: Spend) -> None:
        now = self.clock.now_us()
        window = self.limits.window(now)
        await self.ledger.submit(Release(id=hold, pool=spend.pool, window=window, now_us=now))

    async def _settle(self, hold: str, spend: Spend) -> None:
        now = self.clock.now_us()
        settle = Settle(
            id=hold,
            pool=spend.pool,
            tokens=spend.tokens,
            event=self._event(spend, allowed=True, reason=""),
            window=self.limits.window(now),
            now_us=now,
        )
        await self.ledger.submit(settle)

    def _refuse(self, spend: Spend, reason: str) -> None:
        self.denied.offer(self._event(spend, allowed=False, reason=reason))

    def _event(self, spend: Spend, *, allowed: bool, reason: str) -> UsageEvent:
        return UsageEvent(
            event_id=self.ids.new(),
            user_id=spend.user_id,
            org_id=spend.org_id,
            provider=spend.provider,
            tokens=spend.tokens,
            allowed=allowed,
            reason=reason,
            at_us=self.clock.now_us(),
        )


def _too_large(tokens: int, rule: BucketRule) -> AppError:
    error = invalid("tokens", f"{tokens} exceed the bucket's capacity of {rule.capacity}")
    return AppError(
        reason_pb2.REASON_COST_EXCEEDS_CAPACITY, error.message, violations=error.violations
    )
