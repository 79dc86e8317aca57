"""Buying tokens: the order of things, and that money and tokens move once whatever happens."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.identity.principal import Principal
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import Pool
from svc_token.usecases.purchases import GetPurchase
from svc_token.workers.saga_runner import AT_ONCE, STALE
from tests.svc_token.conftest import ORG, OTHER, USER, House, principal
from tests.svc_token.shop import ORDER, Shop

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop(house: House) -> Shop:
    return Shop(house)


async def test_a_purchase_goes_through_its_states_in_order(shop: Shop) -> None:
    saga = await shop.buy()
    assert (saga.status, await shop.status(saga), shop.woken) == ("STARTED", "STARTED", 1)
    assert await shop.runner() is False
    assert await shop.status(saga) == "COMPLETED"
    assert shop.books.done == [("authorize", saga.id), ("capture", saga.id)]
    assert await shop.events() == [
        "TOKEN_PURCHASE_STARTED",
        "TOKEN_PAYMENT_RESERVED",
        "TOKEN_ALLOCATED",
        "TOKEN_PURCHASE_COMPLETED",
    ]
    [first, *_] = await shop.house.told()
    assert set(first) == {
        "eventId",
        "type",
        "sagaId",
        "userId",
        "orgId",
        "provider",
        "tokens",
        "timestamp",
        "schemaVersion",
    }
    assert (first["sagaId"], first["orgId"], first["tokens"]) == (saga.id, None, 500)
    pool = await shop.house.pool()
    assert pool is not None
    assert (pool.total, pool.remaining) == (100_500, 100_500)


async def test_an_organisation_s_first_purchase_makes_its_pool_with_no_allowance(
    shop: Shop,
) -> None:
    await shop.buy(org_id=ORG)
    await shop.runner()
    pool = await shop.house.pool(ORG)
    assert pool is not None
    assert (pool.total, pool.remaining) == (500, 500)
    assert await shop.house.pool() is None


async def test_a_user_s_pool_gets_the_allowance_of_its_own_roles(shop: Shop) -> None:
    shop.house.roles.known[USER] = frozenset({"ADMIN"})
    await shop.buy()
    await shop.runner()
    pool = await shop.house.pool()
    assert pool is not None
    assert pool.total == 500_500


async def test_the_same_key_and_body_is_the_same_purchase(shop: Shop) -> None:
    first = await shop.buy(idempotency_key="once")
    await shop.runner()
    again = await shop.buy(idempotency_key="once")
    # The first answer, whatever has become of the purchase since.
    assert (again.id, again.status, again.created_us) == (first.id, "STARTED", first.created_us)
    assert await shop.status(again) == "COMPLETED"
    await shop.runner()
    assert len(shop.books.done) == 2
    for other in ({"tokens": 501}, {"provider": "qwen"}, {"org_id": ORG}, {"user_id": OTHER}):
        with pytest.raises(AppError) as refused:
            await shop.buy(idempotency_key="once", **other)
        assert refused.value.outcome.name == "IDEMPOTENCY_KEY_REUSED"
        assert refused.value.outcome.http_status == 409
    other_sender = await shop.create(
        replace(ORDER, user_id=OTHER, idempotency_key="once"), principal(OTHER)
    )
    assert other_sender.id != first.id


async def test_a_key_used_for_one_member_is_not_another_s(shop: Shop) -> None:
    await shop.buy(idempotency_key="once", org_id=ORG)
    with pytest.raises(AppError) as refused:
        await shop.buy(idempotency_key="once", org_id=ORG, user_id=OTHER)
    assert refused.value.outcome.name == "IDEMPOTENCY_KEY_REUSED"


async def test_twenty_at_once_with_one_key_pay_once(shop: Shop) -> None:
    sagas = await asyncio.gather(*(shop.buy(idempotency_key="once") for _ in range(20)))
    assert len({saga.id for saga in sagas}) == 1
    await shop.runner()
    assert [verb for verb, _ in shop.books.done] == ["authorize", "capture"]


@pytest.mark.parametrize(
    ("order", "switched", "reason"),
    [
        ({"provider": "claude"}, {}, "UNKNOWN_PROVIDER"),
        ({}, {"feature_flags_token__service_saga__purchases": "false"}, "FEATURE_DISABLED"),
    ],
)
async def test_what_cannot_be_bought_begins_nothing(
    shop: Shop, order: dict[str, Any], switched: dict[str, str], reason: str
) -> None:
    shop.house.apply(**switched)
    with pytest.raises(AppError) as refused:
        await shop.buy(**order)
    assert refused.value.outcome.name == reason
    assert await shop.sagas.unfinished(9) == []
    assert await shop.events() == []


async def test_the_simulated_failure_voids_the_payment_that_was_reserved(shop: Shop) -> None:
    shop.house.apply(token_saga_simulate__failure="true")
    saga = await shop.buy()
    await shop.runner()
    assert await shop.status(saga) == "FAILED"
    assert shop.books.state == {saga.id: "voided"}
    assert await shop.events() == [
        "TOKEN_PURCHASE_STARTED",
        "TOKEN_PAYMENT_RESERVED",
        "PAYMENT_RELEASE_REQUESTED",
        "TOKEN_PURCHASE_FAILED",
    ]
    assert await shop.house.pool() is None


async def test_a_declined_payment_fails_the_purchase(shop: Shop) -> None:
    shop.books.declines = True
    saga = await shop.buy()
    await shop.runner()
    assert await shop.status(saga) == "FAILED"
    assert "captured" not in shop.books.state.values()
    assert await shop.events() == [
        "TOKEN_PURCHASE_STARTED",
        "PAYMENT_RELEASE_REQUESTED",
        "TOKEN_PURCHASE_FAILED",
    ]
    assert await shop.house.pool() is None


async def round_or_crash(shop: Shop) -> None:
    try:
        await shop.runner()
    except (RuntimeError, AppError):
        return


@pytest.mark.parametrize("step", ["AUTHORIZE", "CAPTURE", "ALLOCATE", "COMPLETE"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_around_any_commit_is_resumed_and_nothing_is_done_twice(
    shop: Shop, step: str, moment: str
) -> None:
    saga = await shop.buy()
    getattr(shop.sagas, moment).add(step)
    await round_or_crash(shop)
    assert not getattr(shop.sagas, moment)
    await round_or_crash(shop)
    assert await shop.status(saga) == "COMPLETED"
    assert shop.books.done == [("authorize", saga.id), ("capture", saga.id)]
    events = await shop.events()
    assert sorted(events) == sorted(set(events))
    assert len(events) == 4
    pool = await shop.house.pool()
    assert pool is not None
    assert pool.purchased == 500


@pytest.mark.parametrize("verb", ["authorize", "capture"])
async def test_a_lost_answer_is_asked_again(shop: Shop, verb: str) -> None:
    shop.books.lose.add(verb)
    saga = await shop.buy()
    with pytest.raises(AppError):
        await shop.runner()
    await shop.runner()
    assert await shop.status(saga) == "COMPLETED"
    assert shop.books.done == [("authorize", saga.id), ("capture", saga.id)]


async def test_a_lost_void_is_asked_again(shop: Shop) -> None:
    shop.house.apply(token_saga_simulate__failure="true")
    shop.books.lose.add("void")
    saga = await shop.buy()
    with pytest.raises(AppError):
        await shop.runner()
    # After the decision to void there is no way back.
    shop.house.apply(token_saga_simulate__failure="false")
    await shop.runner()
    assert await shop.status(saga) == "FAILED"
    assert shop.books.state == {saga.id: "voided"}


async def test_with_payments_away_a_purchase_waits_and_then_goes_on(shop: Shop) -> None:
    shop.books.away = True
    saga = await shop.buy()
    for _ in range(3):
        with pytest.raises(AppError) as waits:
            await shop.runner()
        assert waits.value.reason == REASON_UNAVAILABLE
    assert await shop.status(saga) == "STARTED"
    shop.books.away = False
    await shop.runner()
    assert await shop.status(saga) == "COMPLETED"


async def test_after_the_capture_svc_auth_s_absence_only_delays(shop: Shop) -> None:
    shop.house.roles.away = True
    saga = await shop.buy()
    with pytest.raises(AppError):
        await shop.runner()
    assert shop.books.state == {saga.id: "captured"}
    assert await shop.status(saga) == "PAYMENT_RESERVED"
    shop.house.roles.away = False
    await shop.runner()
    assert await shop.status(saga) == "COMPLETED"


async def test_two_runners_at_once_allocate_and_capture_once(shop: Shop) -> None:
    sagas = [await shop.buy() for _ in range(5)]
    await asyncio.gather(*(shop.runner() for _ in range(4)))
    assert {await shop.status(saga) for saga in sagas} == {"COMPLETED"}
    assert len(shop.books.done) == 10
    pool = await shop.house.pool()
    assert pool is not None
    assert pool.purchased == 2500


@pytest.mark.parametrize("error", [AppError(REASON_UNAVAILABLE, "x"), ValueError("a bug")])
async def test_purchases_that_cannot_go_on_do_not_hold_up_the_others(
    shop: Shop, error: Exception
) -> None:
    stuck = {(await shop.buy()).id for _ in range(AT_ONCE + 5)}
    shop.house.clock.pass_seconds(1)
    free = await shop.buy()
    authorize: Callable[..., Any] = shop.books.authorize

    async def hindered(payment_id: str, tokens: int) -> bool:
        if payment_id in stuck:
            raise error
        return bool(await authorize(payment_id, tokens))

    shop.books.authorize = hindered  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        await shop.runner()
    assert await shop.status(free) == "COMPLETED"


async def test_a_purchase_that_stands_still_for_long_is_counted(shop: Shop) -> None:
    shop.books.away = True
    await shop.buy()
    for seconds, stale in ((0, 0), (599, 0), (2, 1)):
        shop.house.clock.pass_seconds(seconds)
        with pytest.raises(AppError):
            await shop.runner()
        assert STALE.value == stale
    shop.books.away = False
    await shop.runner()
    assert STALE.value == 0


@dataclass
class Members:
    """Who belongs to which organisation; the rule that mesh's policy has in `secure`."""

    members: set[tuple[str, str]] = field(default_factory=set)

    async def may_see(
        self, principal: Principal, *, user_id: str, org_id: str | None, **_: object
    ) -> bool:
        mine = principal.user_id == user_id or principal.admin
        return mine or (org_id or "", principal.user_id) in self.members


async def test_a_purchase_is_found_by_those_who_may_see_it_only(shop: Shop) -> None:
    get = GetPurchase(sagas=shop.sagas, visibility=Members({(ORG, OTHER)}))
    own, shared = await shop.buy(), await shop.buy(org_id=ORG)
    assert (await get(own.id, principal())).id == own.id
    assert (await get(shared.id, principal(OTHER))).id == shared.id
    assert (await get(own.id, principal(OTHER, "ADMIN"))).id == own.id
    for saga_id, asker in ((own.id, principal(OTHER)), (OTHER, principal())):
        with pytest.raises(AppError) as refused:
            await get(saga_id, asker)
        assert refused.value.outcome.name == "PURCHASE_NOT_FOUND"


async def test_bought_tokens_are_not_cut_to_a_tier_and_outlive_the_window(shop: Shop) -> None:
    house = shop.house
    await shop.buy()
    await shop.runner()
    house.apply(token_tiers_levels_USER_quota__max__tokens="0")
    house.clock.pass_seconds(2 * 24 * 3600)
    pool = await house.stores.pools.find(PoolKey(Owner.of(USER, None), "openai"))
    assert pool is not None
    now: Pool = pool.allowing(0).renewed(house.limits.window(house.clock.now))
    assert (now.total, now.remaining) == (500, 500)
