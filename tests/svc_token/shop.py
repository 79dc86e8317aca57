"""What purchases stand on: the real sagas, which may crash, and a payment provider with books."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.saga import Move, Saga, Unfinished
from svc_token.domain.window import Window
from svc_token.ports import Sagas
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

    async def authorize(self, payment_id: str, tokens: int) -> bool:
        assert tokens == ORDER.tokens
        if not self.away and self.declines:
            return False
        # Asked again, by a runner that came late, it is what it has become since.
        await self._become("authorize", payment_id, self.state.get(payment_id, "held"))
        return self.state[payment_id] != "voided"

    async def capture(self, payment_id: str) -> None:
        assert self.away or self.state[payment_id] in {"held", "captured"}
        await self._become("capture", payment_id, "captured")

    async def void(self, payment_id: str) -> None:
        assert self.state.get(payment_id) != "captured"
        await self._become("void", payment_id, "voided")

    async def _become(self, verb: str, payment_id: str, state: str) -> None:
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "payments are away")
        if self.state.get(payment_id) != state:
            self.state[payment_id] = state
            self.done.append((verb, payment_id))
        if verb in self.lose:
            self.lose.remove(verb)
            raise AppError(REASON_UNAVAILABLE, "the answer got lost")


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
        )
        self.runner = SagaRunner(
            sagas=self.sagas,
            advance=self._advance(),
            limits=house.limits,
            clock=house.clock,
            holder="one",
        )

    def _wake(self) -> None:
        self.woken += 1

    def _advance(self) -> AdvancePurchase:
        return AdvancePurchase(
            sagas=self.sagas,
            payments=self.books,
            roles=self.house.roles,
            limits=self.house.limits,
            clock=self.house.clock,
            ids=self.house.ids,
        )

    async def buy(self, **changes: Any) -> Saga:
        return await self.create(replace(ORDER, **changes), principal())

    async def status(self, saga: Saga) -> str:
        found = await self.sagas.find(saga.id)
        assert found is not None
        return found.status.value

    async def events(self) -> list[str]:
        return [event["type"] for event in await self.house.told()]
