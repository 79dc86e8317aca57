"""What is counted of consumes, lookups and the steps of purchases."""

import pytest
from prometheus_client import REGISTRY

from mesh.errors import AppError
from svc_token.usecases.quotas import GetOrgQuota, GetQuota
from svc_token.usecases.reserve import RateLimitedError
from tests.svc_token.conftest import ORG, USER, House, principal, spend
from tests.svc_token.shop import Shop

pytestmark = pytest.mark.anyio
ENDINGS = ("allowed", "quota_insufficient", "rate_limited", "provider_failure")


def consumed(provider: str = "openai") -> dict[str, float]:
    names = ({"provider": provider, "outcome": ending} for ending in ENDINGS)
    return {
        each["outcome"]: REGISTRY.get_sample_value("token_consume_total", each) or 0
        for each in names
    }


def more(before: dict[str, float], provider: str = "openai") -> dict[str, float]:
    """What has been counted since."""
    after = consumed(provider)
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


async def test_every_provider_s_series_are_there_before_its_first_consume(house: House) -> None:
    for provider in (*house.settings.current.providers, "unknown"):
        for ending in ENDINGS:
            labels = {"provider": provider, "outcome": ending}
            assert REGISTRY.get_sample_value("token_consume_total", labels) is not None


async def test_a_consume_is_counted_by_its_provider_and_its_end(house: House) -> None:
    before, others = consumed(), consumed("qwen")
    await house.consume(spend(tokens=995), principal())
    with pytest.raises(RateLimitedError):
        await house.consume(spend(tokens=20), principal())
    house.apply(token_tiers_levels_USER_quota__max__tokens="1000")
    house.clock.pass_seconds(100)
    with pytest.raises(AppError, match="quota"):
        await house.consume(spend(tokens=20), principal())
    house.providers.fails = True
    with pytest.raises(AppError, match="provider"):
        await house.consume(spend(tokens=1), principal())
    assert more(before) == dict.fromkeys(ENDINGS, 1)
    assert more(others, "qwen") == {}


async def test_a_member_s_share_that_is_used_up_is_too_little_quota(house: House) -> None:
    before = consumed()
    with pytest.raises(AppError):
        await house.consume(spend(org_id=ORG, tokens=1), principal())
    assert more(before) == {"quota_insufficient": 1}


async def test_what_no_use_came_of_for_other_reasons_is_none_of_these(house: House) -> None:
    before, unknown = consumed(), consumed("unknown")
    with pytest.raises(AppError):
        await house.consume(spend(provider="nobody-s"), principal())
    with pytest.raises(AppError):
        await house.consume(spend(tokens=1001), principal())
    assert more(before) == more(unknown, "unknown") == {}


async def test_an_answer_that_is_given_again_is_not_counted_again(house: House) -> None:
    before = consumed()
    for _ in range(3):
        await house.consume(spend(tokens=5), principal(), idempotency_key="k")
    assert more(before) == {"allowed": 1}


async def test_every_question_for_a_pool_is_counted(house: House) -> None:
    def looked() -> float:
        return REGISTRY.get_sample_value("token_quota_lookup_total") or 0

    before, pools = looked(), house.stores.pools
    get = GetQuota(
        pools=pools, limits=house.limits, owner_roles=house.owner_roles, clock=house.clock
    )
    get_org = GetOrgQuota(pools=pools, limits=house.limits, clock=house.clock)
    for ask in (get(USER, "openai", principal()), get_org(ORG, "openai")):
        with pytest.raises(AppError, match="not found"):
            await ask
    assert looked() == before + 2


@pytest.fixture
def shop(house: House) -> Shop:
    return Shop(house)


def stepped() -> dict[tuple[str, str], float]:
    [family] = (each for each in REGISTRY.collect() if each.name == "saga_steps")
    return {
        (sample.labels["step"], sample.labels["outcome"]): sample.value
        for sample in family.samples
        if sample.name == "saga_steps_total"
    }


def since(before: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    after = stepped()
    return {key: after[key] - before[key] for key in after if after[key] != before[key]}


async def test_each_step_of_a_purchase_is_counted_as_done(shop: Shop) -> None:
    before = stepped()
    assert len(before) == 5 * 3
    await shop.buy()
    await shop.runner()
    steps = ("AUTHORIZE", "CAPTURE", "ALLOCATE", "COMPLETE")
    assert since(before) == {(step, "done"): 1 for step in steps}


async def test_a_step_that_leads_to_giving_up_has_failed(shop: Shop) -> None:
    before = stepped()
    shop.house.apply(token_saga_simulate__failure="true")
    await shop.buy()
    await shop.runner()
    assert since(before) == {("AUTHORIZE", "failed"): 1, ("VOID", "done"): 1}


async def test_a_step_whose_answer_is_missing_is_hindered_and_due_again(shop: Shop) -> None:
    before = stepped()
    await shop.buy()
    shop.books.away = True
    for _ in range(2):
        with pytest.raises(AppError):
            await shop.runner()
    assert since(before) == {("AUTHORIZE", "hindered"): 2}
