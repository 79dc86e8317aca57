"""Spending tokens at a provider: bucket first, pool second, charge what was answered."""

from dataclasses import dataclass

from mesh.clock import Clock, Ids
from mesh.finisher import Finisher
from mesh.identity.principal import Principal
from svc_token.domain.bucket import Decision
from svc_token.domain.spend import Spend
from svc_token.ports import Limits, Providers
from svc_token.usecases.hold_tokens import HoldTokens
from svc_token.usecases.reserve import Held, ReserveTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """How the bucket stands, and the provider's JSON."""

    decision: Decision
    answer: bytes
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Consume:
    """Runs to its end once begun, also when the caller goes away: no hold is left behind.

    One gap is left: when the store goes away between the provider's
    answer and the charge, and stays away for the rest of the call's time, the
    sweeper frees tokens that were used.
    """

    reserve: ReserveTokens
    hold_tokens: HoldTokens
    providers: Providers
    limits: Limits
    clock: Clock
    ids: Ids
    finisher: Finisher

    async def __call__(self, spend: Spend, principal: Principal) -> Spent:
        """What was spent.

        Raises what ReserveTokens raises, and AppError PROVIDER_CALL_FAILED;
        nothing is charged then.
        """
        return await self.finisher.finish(self._spend(spend, principal))

    async def _spend(self, spend: Spend, principal: Principal) -> Spent:
        id_ = self.ids.new()
        held = await self.reserve(spend, principal, id_=id_, ttl_us=self.limits.hold_us)
        answer = await self._ask(held, id_)
        # What was answered has been used: from here on nothing is given back.
        if held.reservation is None:
            await self.hold_tokens.tell(spend)
        else:
            await self.hold_tokens.settle(id_, spend)
        return Spent(decision=held.decision, answer=answer, at_us=self.clock.now_us())

    async def _ask(self, held: Held, id_: str) -> bytes:
        spend = held.spend
        try:
            return await self.providers.complete(
                spend.provider, prompt=spend.prompt, tokens=spend.tokens, request_id=id_
            )
        except BaseException:
            await self.reserve.give_back(held)
            raise
