"""Taking a purchase to its end, a durable step at a time."""

from dataclasses import dataclass

from mesh.clock import Clock, Ids
from svc_token.domain.owner import OwnerKind
from svc_token.domain.saga import DECLINED, GIVEN_UP, MOVES, Move, Saga, Step
from svc_token.ports import Limits, Payments, Roles, Sagas


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvancePurchase:
    """Does the step that is written down, then writes down the next.

    A step may be done twice, after a crash between the two; each is idempotent
    under the saga's id, which is the payment's id too.
    """

    sagas: Sagas
    payments: Payments
    roles: Roles
    limits: Limits
    clock: Clock
    ids: Ids

    async def __call__(self, saga: Saga) -> None:
        """Returns at the saga's end, or when another runner has moved it.

        Raises AppError when an answer is missing; the same step is due again.
        """
        current: Saga | None = saga
        while current is not None and current.step is not Step.NONE:
            current = await self._step(current)

    async def _step(self, saga: Saga) -> Saga | None:
        move = await self._do(saga)
        now = self.clock.now_us()
        event_ids = [self.ids.new() for _ in move.events]
        if saga.step is Step.ALLOCATE:
            done = await self.sagas.allocate(
                saga,
                move,
                event_ids,
                allowance=await self._allowance(saga),
                window=self.limits.window(now),
                now_us=now,
            )
        else:
            done = await self.sagas.move(saga, move, event_ids, now)
        return saga.moved(move, now) if done else None

    async def _do(self, saga: Saga) -> Move:
        if saga.step is Step.AUTHORIZE:
            if not await self.payments.authorize(saga.id, saga.tokens):
                return DECLINED
            return GIVEN_UP if self.limits.purchases_fail else MOVES[Step.AUTHORIZE]
        if saga.step is Step.CAPTURE:
            await self.payments.capture(saga.id)
        elif saga.step is Step.VOID:
            await self.payments.void(saga.id)
        return MOVES[saga.step]

    async def _allowance(self, saga: Saga) -> int:
        if saga.pool.owner.kind is OwnerKind.ORG:
            return 0
        return self.limits.allowance(await self.roles.of(saga.user_id))
