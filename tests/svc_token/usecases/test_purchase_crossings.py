"""A purchase ends right wherever its process dies, hangs or loses an answer; each place is tried.

Every scenario is played on a store of its own, over and over: once for each
moment before and after each call that the runner makes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from mesh.errors import AppError
from svc_token.domain.saga import Saga, Step
from svc_token.workers.saga_runner import SagaRunner
from tests.parts.urls import POSTGRESQL, backends
from tests.svc_token.conftest import House
from tests.svc_token.crossings import Crossings, GoneError, dies, hangs, loses_it
from tests.svc_token.shop import Shop

HAPPY = [
    "TOKEN_PURCHASE_STARTED",
    "TOKEN_PAYMENT_RESERVED",
    "TOKEN_ALLOCATED",
    "TOKEN_PURCHASE_COMPLETED",
]
GIVEN_UP = [
    "TOKEN_PURCHASE_STARTED",
    "TOKEN_PAYMENT_RESERVED",
    "PAYMENT_RELEASE_REQUESTED",
    "TOKEN_PURCHASE_FAILED",
]
DECLINED = [GIVEN_UP[0], *GIVEN_UP[2:]]
TAKEN = [*GIVEN_UP[:3], *HAPPY[2:]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How the world is, and what is told of a purchase in it."""

    events: list[str]
    payment: str | None
    settings: tuple[tuple[str, str], ...] = ()
    declines: bool = False
    # Somebody at the payment provider does this to what is held.
    meddles: str = ""


SCENARIOS = {
    "goes through": Scenario(events=HAPPY, payment="captured"),
    "is given up": Scenario(
        events=GIVEN_UP,
        payment="voided",
        settings=(("token_saga_simulate__failure", "true"),),
    ),
    "is declined": Scenario(events=DECLINED, payment="voided", declines=True),
    "was voided by the provider": Scenario(events=GIVEN_UP, payment="voided", meddles="voided"),
    "was lost by the provider": Scenario(events=GIVEN_UP, payment="voided", meddles="lost"),
    "was taken by the provider": Scenario(
        events=TAKEN,
        payment="captured",
        settings=(("token_saga_simulate__failure", "true"),),
        meddles="captured",
    ),
}


# The usual ends over every store; what a provider's people do, over one.
PLAYED = [("sqlite", name) for name in SCENARIOS] + [
    (backend, name)
    for backend in backends("sqlite", postgresql=POSTGRESQL)[1:]
    for name, scenario in SCENARIOS.items()
    if not scenario.meddles
]
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize(
        ("house", "scenario"),
        [(backend, SCENARIOS[name]) for backend, name in PLAYED],
        ids=[f"{backend}-{name.replace(' ', '-')}" for backend, name in PLAYED],
        indirect=["house"],
    ),
]


@pytest.fixture
def shop(house: House, scenario: Scenario) -> Shop:
    house.apply(**dict(scenario.settings))
    shop = Shop(house)
    shop.books.declines = scenario.declines
    if scenario.meddles:
        _meddling(shop, scenario.meddles)
    return shop


def _meddling(shop: Shop, state: str) -> None:
    authorize = shop.books.authorize

    async def meddled(payment_id: str, tokens: int) -> bool:
        first = payment_id not in shop.books.state
        held = await authorize(payment_id, tokens)
        if first and state == "lost":
            # Found again only by its absence.
            shop.books.state.pop(payment_id)
        elif first:
            shop.books.state[payment_id] = state
        return held if first or state != "voided" else True

    shop.books.authorize = meddled  # type: ignore[method-assign]


def process(shop: Shop, crossings: Crossings) -> SagaRunner:
    """The creator's runner, all of whose calls cross."""
    return shop.another(
        "one",
        sagas=crossings.watching("sagas", shop.sagas),
        payments=crossings.watching("payments", shop.books),
        roles=crossings.watching("roles", shop.house.roles),
    )


async def rounds(runner: SagaRunner) -> None:
    """What a loop does, as long as there is an end to it."""
    for _ in range(4):
        try:
            await runner()
        except AppError:
            continue
        return
    raise AssertionError("it does not come to an end")


async def each_crossing(
    shop: Shop,
    scenario: Scenario,
    then: Callable[[Crossings], Awaitable[None]],
    play: Callable[[SagaRunner, Crossings], Awaitable[None]],
) -> None:
    """Plays until a number is past the last crossing."""
    given, at = 0, 0
    while True:
        at += 1
        crossings = Crossings(at=at, then=then)
        saga = await shop.buy()
        await play(process(shop, crossings), crossings)
        where = f"{at}: {crossings.passed[at - 1 : at]}"
        given += await ended_right(shop, scenario, saga, where)
        pool = await shop.house.pool()
        assert (pool.purchased if pool else 0) == given, where
        if not crossings.reached.is_set():
            break
    # Fewer, and nothing was tried.
    assert at > 12


async def ended_right(shop: Shop, scenario: Scenario, saga: Saga, where: str) -> int:
    """The tokens that it gave."""
    found = await shop.sagas.find(saga.id)
    assert found is not None
    assert (found.step, found.holder) == (Step.NONE, None), where
    assert await shop.events(saga) == scenario.events, where
    assert shop.books.state.get(saga.id) == scenario.payment, where
    done = [verb for verb, payment_id in shop.books.done if payment_id == saga.id]
    assert max(done.count("capture"), done.count("void")) <= 1, where
    # Else the outbox fills beyond what is read of it.
    await shop.house.stores.outbox.delivered(
        [row.seq for row in await shop.house.stores.outbox.pending(1000)]
    )
    return saga.tokens if scenario.payment == "captured" else 0


async def test_where_the_process_dies_another_goes_on_when_the_lease_has_ended(
    shop: Shop, scenario: Scenario
) -> None:
    async def play(runner: SagaRunner, crossings: Crossings) -> None:
        try:
            await rounds(runner)
        except GoneError:
            assert crossings.dead
        other = shop.another("other")
        if crossings.dead:
            await rounds(other)
            shop.house.clock.pass_seconds(10)
        await rounds(other)

    await each_crossing(shop, scenario, dies, play)


async def test_where_an_answer_is_lost_the_same_process_asks_again(
    shop: Shop, scenario: Scenario
) -> None:
    async def play(runner: SagaRunner, _crossings: Crossings) -> None:
        await rounds(runner)

    await each_crossing(shop, scenario, loses_it, play)


async def test_where_the_process_hangs_another_takes_over_and_its_late_steps_do_nothing(
    shop: Shop, scenario: Scenario
) -> None:
    async def play(runner: SagaRunner, crossings: Crossings) -> None:
        hanging = asyncio.ensure_future(rounds(runner))
        reached = asyncio.ensure_future(crossings.reached.wait())
        await asyncio.wait({hanging, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        if not hanging.done():
            shop.house.clock.pass_seconds(10)
            await rounds(shop.another("other"))
            crossings.gate.set()
        await hanging

    await each_crossing(shop, scenario, hangs, play)
