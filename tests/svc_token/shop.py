"""What purchases stand on: the real sagas, which may crash, and a payment provider with books."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leaky.common.v1.reason_pb2 import (
    REASON_PAYMENT_CONFLICT,
    REASON_PAYMENT_NOT_FOUND,
    REASON_UNAVAILABLE,
)
from mesh.errors import AppError
from svc_token.domain.payment import Payment, PaymentState
from svc_token.domain.saga import Move, Saga, Unfinished
from svc_token.domain.window import Window
from svc_token.purchase_ports import Sagas
from svc_token.usecases.advance_purchase import AdvancePurchase
from svc_token.usecases.purchases import CreatePurchase, Order
from svc_token.workers.saga_runner import SagaRunner
from tests.svc_token.conftest import USER, House, principal

ORDER = Order(user_id=USER, org_id=None, provider="openai", tokens=500, idempotency_key=None)


@dataclass
class Books:
    """A payment provider that keeps books; may decline, be away, or lose an answer."""

    declines: bool = False
    away: bool = False
    lose: set[str] = field(default_factory=set)
    state: dict[str, str] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def authorize(self, payment_id: str, tokens: int) -> bool:
        assert tokens == ORDER.tokens
        self.asked["authorize", payment_id] += 1
        if not self.away and self.declines and payment_id not in self.state:
            return False
        # Asked again, by a runner that came late, it is what it has become since.
        await self._become("authorize", payment_id, self.state.get(payment_id, "held"))
        return self.state[payment_id] != "voided"

    async def capture(self, payment_id: str) -> None:
        self.asked["capture", payment_id] += 1
        if not self.away and payment_id not in self.state:
            raise AppError(REASON_PAYMENT_NOT_FOUND, "payment not found")
        await self._become("capture", payment_id, "captured", never="voided")

    async def void(self, payment_id: str) -> None:
        self.asked["void", payment_id] += 1
        await self._become("void", payment_id, "voided", never="captured")

    async def find(self, payment_id: str) -> Payment | None:
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "payments are away")
        state = self.state.get(payment_id)
        return _payment(payment_id, state) if state else None

    async def list(
        self, limit: int, *, after: str | None = None, state: PaymentState | None = None
    ) -> Sequence[Payment]:
        payments = [_payment(id_, self.state[id_]) for id_ in sorted(self.state)]
        wanted = [one for one in payments if state in {None, one.state}]
        return [one for one in wanted if one.id > (after or "")][:limit]

    async def _become(self, verb: str, payment_id: str, state: str, never: str = "") -> None:
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "payments are away")
        if never and self.state.get(payment_id) == never:
            raise AppError(REASON_PAYMENT_CONFLICT, f"the payment is {never}")
        if self.state.get(payment_id) != state:
            self.state[payment_id] = state
            self.done.append((verb, payment_id))
        if verb in self.lose:
            self.lose.remove(verb)
            raise AppError(REASON_UNAVAILABLE, "the answer got lost")


_STATES = {
    "held": PaymentState.AUTHORIZED,
    "captured": PaymentState.CAPTURED,
    "voided": PaymentState.VOIDED,
}


def _payment(payment_id: str, state: str) -> Payment:
    return Payment(id=payment_id, tokens=ORDER.tokens, state=_STATES[state], updated_us=0)


@dataclass
class Crashing:
    """The real sagas; dies once before, or once after, the commit that ends a step."""

    inner: Sagas
    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)

    async def start(self, saga: Saga, event_id: str) -> Saga:
        return await self.inner.start(saga, event_id)

    async def find(self, saga_id: str) -> Saga | None:
        return await self.inner.find(saga_id)

    async def unfinished(self, limit: int, *, after: Saga | None = None) -> Sequence[Saga]:
        return await self.inner.unfinished(limit, after=after)

    async def claim(
        self, holder: str, limit: int, *, now_us: int, until_us: int, after: Saga | None = None
    ) -> Sequence[Saga]:
        return await self.inner.claim(holder, limit, now_us=now_us, until_us=until_us, after=after)

    async def renew(self, saga: Saga, until_us: int) -> Saga | None:
        return await self.inner.renew(saga, until_us)

    async def give_back(self, holder: str) -> None:
        await self.inner.give_back(holder)

    async def survey(self, before_us: int) -> Unfinished:
        return await self.inner.survey(before_us)

    async def move(self, saga: Saga, move: Move, event_ids: Sequence[str], now_us: int) -> bool:
        self._crash(self.before, saga)
        done = await self.inner.move(saga, move, event_ids, now_us)
        self._crash(self.after, saga)
        return done

    async def allocate(
        self,
        saga: Saga,
        move: Move,
        event_ids: Sequence[str],
        *,
        allowance: int,
        window: Window,
        now_us: int,
    ) -> bool:
        self._crash(self.before, saga)
        done = await self.inner.allocate(
            saga, move, event_ids, allowance=allowance, window=window, now_us=now_us
        )
        self._crash(self.after, saga)
        return done

    def _crash(self, steps: set[str], saga: Saga) -> None:
        if saga.step.value in steps:
            steps.remove(saga.step.value)
            raise RuntimeError("the process is gone")


class Shop:
    def __init__(self, house: House) -> None:
        self.house = house
        self.books = Books()
        self.sagas = Crashing(house.stores.sagas)
        self.woken = 0
        self.create = CreatePurchase(
            sagas=self.sagas,
            limits=house.limits,
            clock=house.clock,
            ids=house.ids,
            wake=self._wake,
            holder="one",
        )
        self.runner = self.another("one")

    def another(
        self, holder: str, *, sagas: Any = None, payments: Any = None, roles: Any = None
    ) -> SagaRunner:
        """A runner as another process has it; by way of what is given, if anything."""
        sagas = sagas or self.sagas
        advance = AdvancePurchase(
            sagas=sagas,
            payments=payments or self.books,
            roles=roles or self.house.roles,
            limits=self.house.limits,
            clock=self.house.clock,
            ids=self.house.ids,
        )
        return SagaRunner(
            sagas=sagas,
            advance=advance,
            limits=self.house.limits,
            clock=self.house.clock,
            holder=holder,
        )

    def _wake(self) -> None:
        self.woken += 1

    async def buy(self, **changes: Any) -> Saga:
        return await self.create(replace(ORDER, **changes), principal())

    async def status(self, saga: Saga) -> str:
        found = await self.sagas.find(saga.id)
        assert found is not None
        return found.status.value

    async def events(self, saga: Saga | None = None) -> list[str]:
        """What was told, of one purchase or of all."""
        told = await self.house.told()
        return [event["type"] for event in told if saga is None or event["sagaId"] == saga.id]
