"""Spending, and what is left of bucket and pool after each way that it can end."""

import asyncio
from dataclasses import replace

import pytest

from leaky.common.v1 import reason_pb2
from leaky.token.v1 import consume_service_pb2
from mesh.errors import AppError
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import methods_of
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import Pool
from svc_token.usecases.reserve import RateLimitedError
from tests.svc_token.conftest import ANSWER, ORG, OTHER, USER, House, principal, spend

pytestmark = pytest.mark.anyio
USAGE = {"userId": USER, "orgId": None, "provider": "openai", "schemaVersion": 1}
DAY = 24 * 3600


async def org_pool(house: House, allowance: int) -> None:
    window = house.limits.window(house.clock.now_us())
    key = PoolKey(Owner.of(USER, ORG), "openai")
    assert await house.stores.pools.create(Pool(key=key, window=window.id, allowance=allowance))


async def refusal(house: House, **what: object) -> AppError:
    with pytest.raises(AppError) as refused:
        await house.consume(spend(**what), principal())  # type: ignore[arg-type] # spend's own
    return refused.value


async def test_it_charges_exactly_what_was_asked_and_tells_of_it_once(house: House) -> None:
    spent = await house.consume(spend(tokens=30, prompt="hi"), principal())
    assert (spent.answer, spent.at_us) == (ANSWER, house.clock.now)
    assert spent.decision.allowed
    assert (spent.decision.capacity, spent.decision.used, spent.decision.remaining) == (
        1000,
        30,
        970,
    )
    pool = await house.pool()
    assert pool is not None
    assert (pool.total, pool.remaining) == (100_000, 99_970)
    assert await house.held() == 0
    [event] = await house.told()
    assert event.pop("eventId")
    expected = {"tokens": 30, "allowed": True, "reason": "", **USAGE}
    assert event == {**expected, "timestamp": "2023-11-14T22:13:20.123456Z"}
    [asked] = house.providers.asked
    assert (asked["provider"], asked["prompt"], asked["tokens"]) == ("openai", "hi", 30)
    assert await house.denials() == []


@pytest.mark.parametrize(
    ("what", "switched", "status", "reason"),
    [
        ({"provider": "claude"}, {}, 400, "UNKNOWN_PROVIDER"),
        ({}, {"providers_openai_enabled": "false"}, 503, "PROVIDER_DISABLED"),
        ({"tokens": 1001}, {}, 400, "COST_EXCEEDS_CAPACITY"),
        ({"tokens": 50}, {"token_bucket_capacity": "49"}, 400, "COST_EXCEEDS_CAPACITY"),
    ],
)
async def test_what_can_never_be_spent_takes_nothing(
    house: House, what: dict[str, object], switched: dict[str, str], status: int, reason: str
) -> None:
    house.apply(**switched)
    refused = await refusal(house, **what)
    assert (refused.outcome.http_status, refused.outcome.name) == (status, reason)
    assert await house.used() == 0
    assert await house.pool() is None
    assert house.providers.asked == []
    assert await house.told() == await house.denials() == []


async def test_a_full_bucket_refuses_says_for_how_long_and_touches_no_pool(house: House) -> None:
    await house.consume(spend(tokens=995), principal())
    with pytest.raises(RateLimitedError) as refused:
        await house.consume(spend(tokens=20), principal())
    decision = refused.value.decision
    # 15 too many leak out at 10 a second.
    assert (decision.allowed, decision.used, decision.remaining) == (False, 995, 5)
    assert (decision.capacity, decision.wait_seconds) == (1000, 2)
    assert await house.left() == 99_005
    [denied] = await house.denials()
    assert {**denied, "eventId": "", "timestamp": ""} == {
        **USAGE,
        "tokens": 20,
        "allowed": False,
        "reason": "RATE_LIMITED",
        "eventId": "",
        "timestamp": "",
    }
    house.clock.pass_seconds(decision.wait_seconds)
    await house.consume(spend(tokens=20), principal())


async def test_too_little_in_the_pool_gives_the_bucket_its_tokens_back(house: House) -> None:
    house.apply(token_tiers_levels_USER_quota__max__tokens="100")
    await house.consume(spend(tokens=60), principal())
    refused = await refusal(house, tokens=41)
    assert (refused.outcome.http_status, refused.message) == (402, "insufficient token quota")
    assert await house.used() == 60
    assert await house.left() == 40
    assert [one["reason"] for one in await house.denials()] == ["INSUFFICIENT_QUOTA"]
    assert len(await house.told()) == len(house.providers.asked) == 1
    await house.consume(spend(tokens=40), principal())
    assert await house.left() == 0


async def test_a_provider_s_failure_gives_everything_back_and_tells_nothing(house: House) -> None:
    house.providers.fails = True
    refused = await refusal(house, tokens=70)
    assert (refused.outcome.http_status, refused.message) == (502, "provider call failed")
    assert await house.used() == 0
    assert await house.left() == 100_000
    assert await house.held() == 0
    assert await house.told() == await house.denials() == []


@pytest.mark.parametrize("fails", [False, True])
async def test_a_caller_who_leaves_meanwhile_leaves_no_hold_behind(
    house: House,
    fails: bool,  # noqa: FBT001
) -> None:
    house.providers.gate = asyncio.Event()
    house.providers.fails = fails
    call = asyncio.ensure_future(house.consume(spend(tokens=70), principal()))
    await house.providers.reached.wait()
    assert await house.left() == 99_930
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await house.held() == 1
    house.providers.gate.set()
    async with house.finisher.closing():
        pass
    assert await house.held() == 0
    charged = 0 if fails else 70
    assert await house.left() == 100_000 - charged
    assert await house.used() == charged
    assert sum(event["tokens"] for event in await house.told()) == charged


async def test_where_quotas_are_not_enforced_pools_stay_untouched(house: House) -> None:
    house.apply(feature_flags_token__service_quota__enforcement="false")
    await house.consume(spend(tokens=70), principal())
    assert await house.pool() is None
    [event] = await house.told()
    assert (event["allowed"], event["reason"], event["tokens"]) == (True, "unenforced", 70)
    # The bucket still counts, and a failure still gives it back.
    assert await house.used() == 70
    house.providers.fails = True
    await refusal(house, tokens=10)
    assert await house.used() == 70
    assert len(await house.told()) == 1


async def test_an_organisation_pays_from_its_own_pool_and_the_user_s_bucket(house: House) -> None:
    await org_pool(house, 100)
    await house.consume(spend(org_id=ORG, tokens=70), principal())
    assert await house.left(ORG) == 30
    assert await house.pool() is None
    assert await house.used() == 70
    assert [event["orgId"] for event in await house.told()] == [ORG]
    assert (await refusal(house, org_id=ORG, tokens=31)).outcome.name == "INSUFFICIENT_QUOTA"
    assert await house.left(ORG) == 30


async def test_an_organisation_without_a_pool_cannot_pay(house: House) -> None:
    assert (await refusal(house, org_id=ORG)).outcome.http_status == 402
    assert await house.pool(ORG) is None


async def test_an_admin_has_twice_the_bucket_and_its_own_allowance(house: House) -> None:
    admin = principal(USER, "USER", "ADMIN")
    spent = await house.consume(spend(tokens=1500), admin)
    assert (spent.decision.capacity, spent.decision.used) == (2000, 1500)
    assert await house.left() == 500_000 - 1500
    house.clock.pass_seconds(10)
    # 20 a second have leaked.
    assert await house.used(roles=admin.roles) == 1300


async def test_a_change_of_tiers_is_seen_by_the_next_consume(house: House) -> None:
    await house.consume(spend(tokens=100), principal())
    house.apply(
        token_tiers_levels_USER_quota__max__tokens="150",
        token_tiers_levels_USER_bucket__capacity__multiplier="0.2",
    )
    spent = await house.consume(spend(tokens=50), principal())
    assert spent.decision.capacity == 200
    assert await house.left() == 0
    # And of roles, which the credential says.
    await house.consume(spend(tokens=10), principal(USER, "ADMIN"))
    assert await house.left() == 500_000 - 160


async def test_svc_auth_is_asked_of_others_only(house: House) -> None:
    house.roles.known[OTHER] = frozenset({"ADMIN"})
    await house.consume(spend(), principal())
    assert house.roles.asked == []
    spent = await house.consume(spend(user_id=OTHER), principal())
    assert spent.decision.capacity == 2000
    assert house.roles.asked == [OTHER]


async def test_with_svc_auth_away_nothing_is_taken(house: House) -> None:
    house.roles.away = True
    refused = await refusal(house, user_id=OTHER)
    assert refused.outcome.http_status == 503
    assert await house.used(OTHER) == 0
    assert await house.pool(user_id=OTHER) is None
    assert house.providers.asked == []
    # One's own roles are in the credential.
    await house.consume(spend(), principal())


async def test_an_allowance_renews_with_its_window_and_what_was_bought_stays(
    house: House,
) -> None:
    house.apply(token_tiers_levels_USER_quota__max__tokens="100")
    await house.consume(spend(tokens=100), principal())
    assert (await refusal(house)).outcome.name == "INSUFFICIENT_QUOTA"
    house.clock.now = house.limits.window(house.clock.now).end_us - 1
    assert (await refusal(house)).outcome.name == "INSUFFICIENT_QUOTA"
    house.clock.now += 1
    await house.consume(spend(tokens=100), principal())
    assert await house.left() == 0


async def test_a_hold_that_outlives_its_window_is_charged_to_the_one_it_was_of(
    house: House,
) -> None:
    house.providers.gate = asyncio.Event()
    house.clock.now = house.limits.window(house.clock.now).end_us - 1
    call = asyncio.ensure_future(house.consume(spend(tokens=70), principal()))
    await house.providers.reached.wait()
    house.clock.now += 1
    house.providers.gate.set()
    await call
    pool = await house.pool()
    assert pool is not None
    assert pool.renewed(house.limits.window(house.clock.now)).remaining == 100_000


async def test_a_charge_is_insisted_on_while_the_store_stumbles(house: House) -> None:
    house.ledger.cut = {"Settle": 2}
    await house.consume(spend(tokens=70), principal())
    assert house.ledger.tried == ["Reserve", "Settle", "Settle", "Settle"]
    assert await house.left() == 99_930
    assert await house.used() == 70
    assert len(await house.told()) == 1
    assert await house.held() == 0


async def test_giving_back_is_insisted_on_too(house: House) -> None:
    house.ledger.cut = {"Release": 2}
    house.providers.fails = True
    assert (await refusal(house, tokens=70)).outcome.name == "PROVIDER_CALL_FAILED"
    assert await house.left() == 100_000
    assert await house.held() == 0


async def test_an_unenforced_use_is_insisted_on_too(house: House) -> None:
    house.apply(feature_flags_token__service_quota__enforcement="false")
    house.ledger.cut = {"Emit": 2}
    await house.consume(spend(tokens=70), principal())
    assert [event["reason"] for event in await house.told()] == ["unenforced"]


async def test_what_was_used_is_charged_when_the_store_is_back_after_the_call(
    house: House,
) -> None:
    house.ledger.cut = {"Settle": 1_000_000}
    method = next(
        iter(methods_of(consume_service_pb2.DESCRIPTOR.services_by_name["ConsumeService"]))
    )
    # A call that has no time left: there is one try and no more.
    token = CURRENT.set(Call(method=method, metadata={}, deadline=0))
    try:
        refused = await refusal(house, tokens=70)
    finally:
        CURRENT.reset(token)
        told, held = await house.told(), await house.held()
        house.ledger.cut = {}
    assert refused.outcome.http_status == 503
    assert (told, held) == ([], 1)
    async with house.finisher.closing():
        pass
    assert await house.used() == 70
    assert await house.left() == 99_930
    assert await house.held() == 0
    assert [event["tokens"] for event in await house.told()] == [70]


async def test_an_end_that_is_asked_for_again_while_it_waits_is_tried_once(house: House) -> None:
    held = await house.reserve(spend(tokens=70), principal(), id_="h", ttl_us=60_000_000)
    house.ledger.cut = {"Settle": 1_000_000}
    method = next(
        iter(methods_of(consume_service_pb2.DESCRIPTOR.services_by_name["ConsumeService"]))
    )
    token = CURRENT.set(Call(method=method, metadata={}, deadline=0))
    try:
        for tokens in (50, 50, 50, 60):
            with pytest.raises(AppError):
                await house.hold_tokens.settle("h", replace(held.spend, tokens=tokens))
    finally:
        CURRENT.reset(token)
    # What is another charge waits by itself, as only the ledger may say which of them it is.
    assert len(house.finisher._unwaited) == 2
    house.ledger.cut = {}
    async with house.finisher.closing():
        pass
    [event] = await house.told()
    assert await house.left() == 100_000 - event["tokens"]
    assert house.hold_tokens.end_later._waiting == set()


async def test_a_store_that_is_away_from_the_start_costs_nothing(house: House) -> None:
    house.ledger.cut = {"Reserve": 1}
    refused = await refusal(house, tokens=70)
    assert refused.reason == reason_pb2.REASON_UNAVAILABLE
    assert await house.used() == 0
    assert house.providers.asked == []
    assert await house.denials() == []


async def test_64_at_once_spend_exactly_what_an_organisation_has(house: House) -> None:
    house.apply(token_bucket_capacity="1000000")
    await org_pool(house, 1000)

    async def consumer() -> int:
        granted = 0
        for _ in range(20):
            try:
                await house.consume(spend(org_id=ORG, tokens=7), principal())
            except AppError as refused:
                assert refused.reason == reason_pb2.REASON_INSUFFICIENT_QUOTA  # noqa: PT017
            else:
                granted += 7
        return granted

    granted = sum(await asyncio.gather(*(consumer() for _ in range(64))))
    assert granted == 994
    assert await house.left(ORG) == 6
    assert sum(event["tokens"] for event in await house.told()) == 994
    assert await house.used() == 994
