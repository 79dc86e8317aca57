"""Spending tokens at a provider: bucket first, pool second, charge what was answered."""

from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from mesh.finisher import Finisher
from mesh.identity.principal import Principal
from svc_token.domain.idempotency import ClaimLostError, Key, Operation, fingerprint_of
from svc_token.domain.reservation import State
from svc_token.domain.spend import Spend
from svc_token.domain.spent import Spent
from svc_token.metrics import CONSUMED, Ending
from svc_token.ports import Limits, Providers
from svc_token.usecases.hold_tokens import HoldTokens
from svc_token.usecases.once import Once, Turn
from svc_token.usecases.reserve import Held, RateLimitedError, ReserveTokens

_ENDINGS = {
    reason_pb2.REASON_INSUFFICIENT_QUOTA: Ending.QUOTA_INSUFFICIENT,
    reason_pb2.REASON_MEMBER_CAP_EXCEEDED: Ending.QUOTA_INSUFFICIENT,
    reason_pb2.REASON_PROVIDER_CALL_FAILED: Ending.PROVIDER_FAILURE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consume:
    """Runs to its end once begun, also when the caller goes away: no hold is left behind.

    Under an idempotency key it is charged once, also when it was begun twice:
    the hold has the id of the key's claim. One gap is left: when the process
    ends, or is stopped for good while the store is away, between the
    provider's answer and the charge, and nobody comes back with the key, the
    sweeper frees tokens that were used.
    """

    reserve: ReserveTokens
    hold_tokens: HoldTokens
    providers: Providers
    limits: Limits
    clock: Clock
    ids: Ids
    finisher: Finisher
    once: Once

    async def __call__(
        self, spend: Spend, principal: Principal, *, idempotency_key: str | None = None
    ) -> Spent:
        """What was spent, now or by the same key's first request.

        Raises what ReserveTokens and Once raise, and AppError
        PROVIDER_CALL_FAILED; nothing is charged then.
        """
        if idempotency_key is None:
            return await self.finisher.finish(self._spend(spend, principal))

        async def effect(turn: Turn) -> bytes:
            return (await self._spend(spend, principal, turn)).kept()

        key = Key(
            scope=principal.user_id or spend.user_id,
            operation=Operation.CONSUME,
            key=idempotency_key,
        )
        return Spent.of(await self.once(key, _meaning(spend), effect))

    async def _spend(self, spend: Spend, principal: Principal, turn: Turn | None = None) -> Spent:
        try:
            spent = await self._spent(spend, principal, turn)
        except RateLimitedError:
            CONSUMED.of(spend.provider, Ending.RATE_LIMITED).inc()
            raise
        except AppError as error:
            if error.reason in _ENDINGS:
                CONSUMED.of(spend.provider, _ENDINGS[error.reason]).inc()
            raise
        CONSUMED.of(spend.provider, Ending.ALLOWED).inc()
        return spent

    async def _spent(self, spend: Spend, principal: Principal, turn: Turn | None) -> Spent:
        id_ = turn.id if turn else self.ids.new()
        held = await self.reserve(spend, principal, id_=id_, ttl_us=self.limits.hold_us)
        if turn and await self._too_late(held, turn):
            # Whoever began it was too long about it: the key's next claim has a hold of its own.
            raise ClaimLostError
        answer = await self._ask(held, id_, turn)
        spent = Spent(decision=held.decision, answer=answer, at_us=self.clock.now_us())
        await self._charge(spent, held, turn)
        return spent

    async def _too_late(self, held: Held, turn: Turn) -> bool:
        before = held.reservation
        if before is None or not before.repeated:
            return False
        if before.state is not State.RESERVED:
            return True
        if before.expires_us - self.clock.now_us() > self.limits.claim_us:
            return False
        # It would end while the provider is asked, and its tokens be another's meanwhile.
        if await turn.let_go():
            await self.reserve.give_back(held)
        return True

    async def _ask(self, held: Held, id_: str, turn: Turn | None) -> bytes:
        spend = held.spend
        try:
            return await self.providers.complete(
                spend.provider, prompt=spend.prompt, tokens=spend.tokens, request_id=id_
            )
        except BaseException:
            # Who has taken over the key has the same hold.
            if turn is None or await turn.let_go():
                await self.reserve.give_back(held)
            raise

    async def _charge(self, spent: Spent, held: Held, turn: Turn | None) -> None:
        # What was answered has been used: from here on nothing is given back.
        answer = None
        if turn:
            turn.bound = True
            answer = turn.answer(spent.kept())
        if held.reservation is None:
            await self.hold_tokens.tell(held.spend, answer=answer)
            return
        charged = await self.hold_tokens.settle(held.reservation.id, held.spend, answer=answer)
        if turn and charged.repeated:
            # The answer that was kept goes out, which may be another holder's.
            raise ClaimLostError


def _meaning(spend: Spend) -> bytes:
    return fingerprint_of(
        user_id=spend.user_id,
        org_id=spend.org_id,
        provider=spend.provider,
        tokens=spend.tokens,
        prompt=spend.prompt,
    )
