"""Taking a purchase to its end, a durable step at a time."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum

from leaky.common.v1.reason_pb2 import (
    REASON_DEADLINE_EXCEEDED,
    REASON_PAYMENT_CONFLICT,
    REASON_PAYMENT_NOT_FOUND,
)
from mesh.clock import Clock, Ids
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Counter
from svc_token.domain.owner import OwnerKind
from svc_token.domain.payment import PaymentState
from svc_token.domain.saga import (
    DECLINED,
    ENDS,
    GIVEN_UP,
    MOVES,
    REFUSED,
    STEPS,
    Move,
    Saga,
    Step,
    taken,
)
from svc_token.ports import Limits, Roles
from svc_token.purchase_ports import Payments, Sagas


class Outcome(StrEnum):
    """What became of a step: it led on, it led to giving up, or it is due again."""

    DONE = "done"
    FAILED = "failed"
    HINDERED = "hindered"


ENDED = Closed(
    Counter,
    "token_purchase_total",
    "Purchases that this process brought to an end, by how.",
    {"status": ENDS},
)
TAKEN = Closed(
    Counter,
    "saga_steps_total",
    "Steps of purchases that this process took: done, failed, or hindered and due again.",
    {"step": STEPS, "outcome": Outcome},
)
# Answers that are final, and no outage.
_REFUSALS = {REASON_PAYMENT_CONFLICT, REASON_PAYMENT_NOT_FOUND}


_LEASED = failpoint("saga.leased")
_AUTHORIZING = failpoint("saga.authorize.before")
_AUTHORIZED = failpoint("saga.authorize.after")
_CAPTURING = failpoint("saga.capture.before")
_CAPTURED = failpoint("saga.capture.after")
_VOIDING = failpoint("saga.void.before")
_VOIDED = failpoint("saga.void.after")
_ALLOCATING = failpoint("saga.allocate.before")
_ALLOCATED = failpoint("saga.allocate.after")
_MOVING = failpoint("saga.move.before")
_MOVED = failpoint("saga.move.after")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvancePurchase:
    """Does the step that is written down, then writes down the next.

    A step may be done twice, after a crash between the two; each is idempotent
    under the saga's id, which is the payment's id too. Nothing of a step is
    under way any more when the saga's lease ends.
    """

    sagas: Sagas
    payments: Payments
    roles: Roles
    limits: Limits
    clock: Clock
    ids: Ids

    async def __call__(self, saga: Saga) -> None:
        """Returns at the saga's end, or when another runner has it.

        Raises AppError when an answer is missing; the same step is due again.
        """
        current: Saga | None = saga
        while current is not None and current.step is not Step.NONE:
            current = await self._counted(current)

    async def _counted(self, saga: Saga) -> Saga | None:
        try:
            held = await self._held(saga)
            _LEASED()
            return await self._in_time(held) if held else None
        except Exception:
            TAKEN.of(saga.step, Outcome.HINDERED).inc()
            raise

    async def _held(self, saga: Saga) -> Saga | None:
        """The saga with time enough for a step; None when it is another's."""
        now, lease = self.clock.now_us(), self.limits.lease_us
        if saga.lease_until_us - now >= lease // 2:
            return saga
        return await self.sagas.renew(saga, now + lease)

    async def _in_time(self, saga: Saga) -> Saga | None:
        left = (saga.lease_until_us - self.clock.now_us()) / 1_000_000
        try:
            async with asyncio.timeout(left) as lease:
                return await self._step(saga)
        except TimeoutError:
            if not lease.expired():
                raise
            message = f"{saga.step.value} took longer than the lease"
            raise AppError(REASON_DEADLINE_EXCEEDED, message) from None

    async def _step(self, saga: Saga) -> Saga | None:
        move = await self._do(saga)
        now = self.clock.now_us()
        event_ids = [self.ids.new() for _ in move.events]
        if saga.step is Step.ALLOCATE:
            _ALLOCATING()
            done = await self.sagas.allocate(
                saga,
                move,
                event_ids,
                allowance=await self._allowance(saga),
                window=self.limits.window(now),
                now_us=now,
            )
            _ALLOCATED()
        else:
            _MOVING()
            done = await self.sagas.move(saga, move, event_ids, now)
            _MOVED()
        if not done:
            return None
        TAKEN.of(saga.step, Outcome.FAILED if move.step is Step.VOID else Outcome.DONE).inc()
        if move.step is Step.NONE:
            ENDED.of(move.status).inc()
        return saga.moved(move, now)

    async def _do(self, saga: Saga) -> Move:
        if saga.step is Step.AUTHORIZE:
            _AUTHORIZING()
            authorized = await self.payments.authorize(saga.id, saga.tokens)
            _AUTHORIZED()
            if not authorized:
                return DECLINED
            return GIVEN_UP if self.limits.purchases_fail else MOVES[Step.AUTHORIZE]
        if saga.step is Step.CAPTURE:
            _CAPTURING()
            state = await self._settled(saga, self.payments.capture(saga.id), PaymentState.CAPTURED)
            _CAPTURED()
            return MOVES[Step.CAPTURE] if state is PaymentState.CAPTURED else REFUSED
        if saga.step is Step.VOID:
            _VOIDING()
            state = await self._settled(saga, self.payments.void(saga.id), PaymentState.VOIDED)
            _VOIDED()
            return taken(saga) if state is PaymentState.CAPTURED else MOVES[Step.VOID]
        return MOVES[saga.step]

    async def _settled(
        self, saga: Saga, call: Awaitable[None], wanted: PaymentState
    ) -> PaymentState | None:
        """What the payment is after the call: a refusal is not guessed at, the books are read."""
        try:
            await call
        except AppError as refusal:
            if refusal.reason not in _REFUSALS:
                raise
            payment = await self.payments.find(saga.id)
            if payment is not None and payment.state is PaymentState.AUTHORIZED:
                raise
            return payment.state if payment else None
        return wanted

    async def _allowance(self, saga: Saga) -> int:
        if saga.pool.owner.kind is OwnerKind.ORG:
            return 0
        return self.limits.allowance(await self.roles.of(saga.user_id))
