"""Runners share purchases out: a lease at a time, and never two at one payment."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED
from mesh.errors import AppError
from svc_token.domain.saga import Step
from svc_token.usecases.advance_purchase import ENDED
from svc_token.workers.saga_runner import SHORTEST_SECONDS, STALE, UNFINISHED, SagaRunner
from tests.svc_token.conftest import USER, House
from tests.svc_token.shop import Books, Shop

pytestmark = pytest.mark.anyio
LEASE = 10.0


@pytest.fixture
def shop(house: House) -> Shop:
    return Shop(house)


@dataclass
class Slow:
    """The books behind a line that takes its time; notes how many ask at once for one payment."""

    inner: Books
    busy: Counter[str] = field(default_factory=Counter)
    most: int = 0
    gate: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        async def ask(payment_id: str, *rest: Any) -> Any:
            self.busy[payment_id] += 1
            self.most = max(self.most, self.busy[payment_id])
            self.reached.set()
            try:
                if self.gate is not None:
                    await self.gate.wait()
                for _ in range(5):
                    await asyncio.sleep(0)
                return await getattr(self.inner, verb)(payment_id, *rest)
            finally:
                self.busy[payment_id] -= 1

        return ask


async def test_many_runners_never_ask_at_once_for_one_payment_and_ask_once(shop: Shop) -> None:
    sagas = [await shop.buy() for _ in range(12)]
    slow = Slow(shop.books)
    # The first is their creator's, the others come when its leases have ended.
    shop.house.clock.pass_seconds(LEASE)
    runners = [shop.another(f"p{number}", payments=slow) for number in range(6)]
    await asyncio.gather(*(runner() for runner in runners))
    assert {await shop.status(saga) for saga in sagas} == {"COMPLETED"}
    assert slow.most == 1
    assert set(shop.books.asked.values()) == {1}
    assert len(shop.books.asked) == 24
    pool = await shop.house.pool()
    assert pool is not None
    assert pool.purchased == 12 * 500


async def test_while_its_creator_lives_a_purchase_is_nobody_elses(shop: Shop) -> None:
    saga = await shop.buy()
    shop.house.clock.pass_seconds(LEASE - 1)
    await shop.another("other")()
    assert await shop.status(saga) == "STARTED"
    await shop.runner()
    assert await shop.status(saga) == "COMPLETED"


async def test_a_hindered_purchase_stays_its_holder_s_and_is_tried_each_round(shop: Shop) -> None:
    shop.books.away = True
    saga = await shop.buy()
    for _ in range(3):
        with pytest.raises(AppError):
            await shop.runner()
    assert shop.books.asked["authorize", saga.id] == 3
    await shop.another("other")()
    assert shop.books.asked["authorize", saga.id] == 3


async def test_a_short_lease_is_renewed_before_the_next_step(shop: Shop) -> None:
    """Each step begins with half a lease at least, however long the ones before took."""
    saga = await shop.buy()
    left: list[int] = []

    class Dawdling:
        def __getattr__(self, verb: str) -> Callable[..., Any]:
            async def ask(payment_id: str, *rest: Any) -> Any:
                held = await shop.sagas.find(payment_id)
                assert held is not None
                left.append(held.lease_until_us - shop.house.clock.now)
                answer = await getattr(shop.books, verb)(payment_id, *rest)
                shop.house.clock.pass_seconds(0.7 * LEASE)
                return answer

            return ask

    await shop.another("one", payments=Dawdling())()
    assert await shop.status(saga) == "COMPLETED"
    assert left == [LEASE * 1_000_000] * 2


async def test_no_call_outlives_the_lease(shop: Shop) -> None:
    shop.house.apply(token_saga_lease="1s")
    saga = await shop.buy()
    slow = Slow(shop.books, gate=asyncio.Event())
    # Just more than the half that lets a step begin without a renewal.
    shop.house.clock.pass_seconds(0.45)
    async with asyncio.timeout(30):
        with pytest.raises(AppError) as late:
            await shop.another("one", payments=slow)()
    assert late.value.reason == REASON_DEADLINE_EXCEEDED
    assert slow.busy[saga.id] == 0
    # A second is too little for a step on a busy machine.
    shop.house.apply()
    await shop.runner()
    assert await shop.status(saga) == "COMPLETED"


async def test_a_holder_that_was_overtaken_during_a_call_ends_no_step(shop: Shop) -> None:
    saga = await shop.buy()
    slow = Slow(shop.books, gate=asyncio.Event())
    hanging = asyncio.ensure_future(shop.another("one", payments=slow)())
    async with asyncio.timeout(10):
        await slow.reached.wait()
    shop.house.clock.pass_seconds(LEASE)
    shop.house.apply(token_saga_simulate__failure="true")
    await shop.another("other")()
    assert await shop.status(saga) == "FAILED"
    # The authorisation comes late, after the void: it is refused, and nothing is taken.
    shop.house.apply(token_saga_simulate__failure="false")
    assert slow.gate is not None
    slow.gate.set()
    await hanging
    assert await shop.status(saga) == "FAILED"
    assert shop.books.state == {saga.id: "voided"}
    assert await shop.house.pool() is None


async def test_the_next_look_is_when_the_first_lease_of_another_ends(shop: Shop) -> None:
    runner = shop.another("other")
    await runner()
    assert runner.idle_seconds() == LEASE
    await shop.buy()
    shop.house.clock.pass_seconds(3)
    await runner()
    assert runner.idle_seconds() == LEASE - 3
    shop.house.clock.pass_seconds(LEASE)
    assert runner.idle_seconds() == SHORTEST_SECONDS
    await runner()
    assert runner.idle_seconds() == LEASE


def ended(status: str) -> float:
    return float(ENDED.of(status).value)


async def test_what_is_on_its_way_stands_still_or_has_ended_is_measured(shop: Shop) -> None:
    before = ended("COMPLETED"), ended("FAILED")
    await shop.buy()
    shop.house.roles.away = True
    with pytest.raises(AppError):
        await shop.runner()
    shop.house.clock.pass_seconds(601)
    shop.books.away = True
    await shop.buy()
    with pytest.raises(AppError):
        await shop.runner()
    counts = {step: UNFINISHED.of(step).value for step in Step if step != "NONE"}
    assert {step for step, count in counts.items() if count} == {Step.AUTHORIZE, Step.ALLOCATE}
    assert STALE.value == 1
    shop.house.roles.away = shop.books.away = False
    shop.house.apply(token_saga_simulate__failure="true")
    await shop.runner()
    assert (ended("COMPLETED"), ended("FAILED")) == (before[0] + 1, before[1] + 1)
    assert STALE.value == 0


async def test_twenty_at_once_for_a_new_user_make_one_pool_with_all_of_them(shop: Shop) -> None:
    sagas = await asyncio.gather(*(shop.buy() for _ in range(20)))
    runners: list[SagaRunner] = [shop.runner, *(shop.another(f"p{n}") for n in range(3))]
    shop.house.clock.pass_seconds(LEASE)
    await asyncio.gather(*(runner() for runner in runners))
    assert {await shop.status(saga) for saga in sagas} == {"COMPLETED"}
    pool = await shop.house.pool(user_id=USER)
    assert pool is not None
    assert (pool.purchased, pool.total) == (20 * 500, 100_000 + 20 * 500)
    captured = await shop.books.list(100)
    assert len(captured) == 20
    assert sum(payment.tokens for payment in captured) == pool.purchased
