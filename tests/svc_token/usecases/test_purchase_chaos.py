"""What was paid is what was given, whatever the payment provider does and whoever dies.

The provider is the real double with its own books, behind its own switches.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mesh.errors import AppError
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.local_channel import LocalChannel
from svc_stubs.ports import PaymentTrouble, Trouble
from svc_stubs.servicers import PaymentServicer
from svc_stubs.stores import SCHEMAS, open_books
from svc_stubs.usecases.payments import Payments
from svc_token.domain.payment import PaymentState
from svc_token.domain.saga import Saga, Status
from svc_token.stores.grpc_payments import GrpcPayments
from svc_token.workers.saga_runner import SagaRunner
from tests.parts.postgresql import store_url
from tests.svc_token.conftest import House
from tests.svc_token.crossings import Crossings, GoneError, dies
from tests.svc_token.shop import Shop

pytestmark = pytest.mark.anyio
USERS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(3)]
ACTIONS = 25


@dataclass
class Switches:
    """The double's fault switches."""

    payments: PaymentTrouble = field(default_factory=PaymentTrouble)

    def of(self, _provider: str) -> Trouble:
        return Trouble()

    def of_payments(self) -> PaymentTrouble:
        return self.payments


@dataclass
class Chaos:
    """Runners that come and go, and switches that are thrown, as the seed has it."""

    shop: Shop
    payments: GrpcPayments
    switches: Switches
    choice: random.Random
    sagas: list[Saga] = field(default_factory=list)
    processes: int = 0

    async def run(self) -> None:
        actions = [self._buy, self._throw, self._round, self._round, self._pass]
        await self._buy()
        for _ in range(ACTIONS):
            await self.choice.choice(actions)()
        self.switches.payments = PaymentTrouble()
        self.shop.house.apply()
        self.shop.house.clock.pass_seconds(10)
        # A store that is too busy for once is asked again, as by the loop.
        for _ in range(5):
            with suppress(AppError):
                await self._process(Crossings())()
            self.shop.house.clock.pass_seconds(10)

    async def _buy(self) -> None:
        self.sagas += await asyncio.gather(
            *(self.shop.buy(user_id=self.choice.choice(USERS)) for _ in range(4))
        )

    async def _throw(self) -> None:
        percent = [0, 0, 40, 80]
        self.switches.payments = PaymentTrouble(
            decline=self.choice.random() < 0.3,
            fail=self.choice.choice(percent),
            lose_answer=self.choice.choice(percent),
            answer_twice=self.choice.choice(percent),
        )
        fails = self.choice.random() < 0.3
        self.shop.house.apply(token_saga_simulate__failure=str(fails).lower())

    async def _round(self) -> None:
        """Up to three processes at once, each of which may die on the way."""
        crossings = [
            Crossings(at=self.choice.randrange(1, 60), then=dies)
            for _ in range(self.choice.randint(1, 3))
        ]
        for outcome in await asyncio.gather(
            *(self._process(one)() for one in crossings), return_exceptions=True
        ):
            assert isinstance(outcome, bool | AppError | GoneError), outcome

    async def _pass(self) -> None:
        self.shop.house.clock.pass_seconds(self.choice.choice([1, 6, 10]))

    def _process(self, crossings: Crossings) -> SagaRunner:
        self.processes += 1
        return self.shop.another(
            f"p{self.processes}",
            sagas=crossings.watching("sagas", self.shop.sagas),
            payments=crossings.watching("payments", self.payments),
        )


@asynccontextmanager
async def chaos_in(house: House, url: str, seed: int) -> AsyncIterator[Chaos]:
    switches, choice = Switches(), random.Random(seed)  # noqa: S311 no secret
    async with open_books(url) as books:
        dispatcher = Dispatcher([])
        dispatcher.add(
            PaymentServicer(
                Payments(books=books, faults=switches, clock=house.clock, chance=choice.random)
            )
        )
        payments = GrpcPayments(LocalChannel(dispatcher))
        yield Chaos(shop=Shop(house), payments=payments, switches=switches, choice=choice)


@pytest.mark.parametrize("seed", range(4))
async def test_payments_captured_are_tokens_given_whatever_happens(
    house: House, request: pytest.FixtureRequest, tmp_path: Path, seed: int
) -> None:
    backend = "postgresql" if "postgresql" in request.node.name else "sqlite"
    url = await store_url(backend, tmp_path, "stubs", SCHEMAS)
    async with chaos_in(house, url, seed) as chaos:
        await chaos.run()
        ended = [await house.stores.sagas.find(saga.id) for saga in chaos.sagas]
        assert {saga.status for saga in ended if saga} <= {Status.COMPLETED, Status.FAILED}
        await compare(house, chaos.payments, [saga for saga in ended if saga])
        told = Counter((event["sagaId"], event["type"]) for event in await house.told())
        assert set(told.values()) == {1}
        # A seed under which nothing happens shows nothing.
        assert chaos.processes > 5


async def compare(house: House, payments: GrpcPayments, sagas: Sequence[Saga]) -> None:
    """Both sides, payment by payment and pool by pool."""
    captured: dict[str, int] = {}
    last = None
    while page := await payments.list(2, after=last):
        # Nothing stays on hold: what was not taken was let go.
        assert PaymentState.AUTHORIZED not in {payment.state for payment in page}
        captured |= {one.id: one.tokens for one in page if one.state is PaymentState.CAPTURED}
        last = page[-1].id
    given = {saga.id: saga.tokens for saga in sagas if saga.status is Status.COMPLETED}
    assert captured == given
    for user in USERS:
        pool = await house.pool(user_id=user)
        bought = sum(saga.tokens for saga in sagas if saga.id in given and saga.user_id == user)
        assert (pool.purchased if pool else 0) == bought
