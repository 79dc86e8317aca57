"""Reading pools and buckets writes nothing; an administrator's changes keep what was used."""

import asyncio
from dataclasses import replace

import pytest

from mesh.errors import AppError
from mesh.identity.principal import NOBODY
from svc_token.usecases.providers import GetProviderQuota
from svc_token.usecases.quotas import (
    CreateOrgQuota,
    GetOrgQuota,
    GetQuota,
    PoolView,
    UpdateOrgQuota,
)
from svc_token.usecases.rate_limits import GetRateLimit
from tests.svc_token.conftest import ORG, OTHER, USER, House, principal, spend

pytestmark = pytest.mark.anyio


def get(house: House) -> GetQuota:
    return GetQuota(
        pools=house.stores.pools,
        limits=house.limits,
        owner_roles=house.owner_roles,
        clock=house.clock,
    )


def get_org(house: House) -> GetOrgQuota:
    return GetOrgQuota(pools=house.stores.pools, limits=house.limits, clock=house.clock)


def create_org(house: House) -> CreateOrgQuota:
    return CreateOrgQuota(
        pools=house.stores.pools, limits=house.limits, clock=house.clock, once=house.process()
    )


def update_org(house: House) -> UpdateOrgQuota:
    return UpdateOrgQuota(pools=house.stores.pools, limits=house.limits, clock=house.clock)


def rate_limit(house: House) -> GetRateLimit:
    return GetRateLimit(buckets=house.buckets, limits=house.limits, owner_roles=house.owner_roles)


async def test_what_nobody_has_used_is_not_found_and_not_made(house: House) -> None:
    for _ in range(2):
        with pytest.raises(AppError) as refused:
            await get(house)(USER, "openai", principal())
        assert (refused.value.outcome.name, refused.value.message) == (
            "QUOTA_NOT_FOUND",
            "quota not found",
        )


async def test_a_pool_is_read_as_it_stands_today(house: House) -> None:
    await house.consume(spend(tokens=600), principal())
    view = await get(house)(USER, "openai", principal())
    assert (view.pool.total, view.pool.remaining) == (100_000, 99_400)
    assert view.window.end_us == 1_700_006_400_000_000
    # With tomorrow's renewal and a new role, though nothing has been written.
    house.clock.now = view.window.end_us
    view = await get(house)(USER, "openai", principal(USER, "ADMIN"))
    assert (view.pool.total, view.pool.remaining) == (500_000, 500_000)
    stored = await house.pool()
    assert stored is not None
    assert (stored.allowance, stored.remaining) == (100_000, 99_400)


async def test_an_administrator_s_view_of_another_asks_for_that_user_s_roles(
    house: House,
) -> None:
    await house.consume(spend(), principal())
    house.roles.known[USER] = frozenset({"USER"})
    view = await get(house)(USER, "openai", principal(OTHER, "ADMIN"))
    assert view.pool.total == 100_000
    assert house.roles.asked == [USER]


async def test_an_organisation_s_pool_is_made_once_and_changed_later(house: House) -> None:
    with pytest.raises(AppError) as missing:
        await update_org(house)(ORG, "openai", 100)
    assert missing.value.outcome.http_status == 404
    made = await create_org(house)(ORG, "openai", 100)
    assert (made.pool.total, made.pool.remaining) == (100, 100)
    with pytest.raises(AppError) as twice:
        await create_org(house)(ORG, "openai", 5)
    assert twice.value.outcome.http_status == 409
    await house.consume(spend(org_id=ORG, tokens=60), principal())
    changed = await update_org(house)(ORG, "openai", 80)
    assert (changed.pool.total, changed.pool.remaining) == (80, 20)
    assert (await get_org(house)(ORG, "openai")).pool.remaining == 20
    with pytest.raises(AppError):
        await get_org(house)(ORG, "qwen")
    house.clock.pass_seconds(24 * 3600)
    assert (await get_org(house)(ORG, "openai")).pool.remaining == 80


async def test_another_provider_is_400_everywhere(house: House) -> None:
    asked = [
        get(house)(USER, "claude", principal()),
        get_org(house)(ORG, "claude"),
        create_org(house)(ORG, "claude", 1),
        update_org(house)(ORG, "claude", 1),
        rate_limit(house)(USER, "claude", principal()),
    ]
    for one in asked:
        with pytest.raises(AppError) as refused:
            await one
        assert refused.value.outcome.name == "UNKNOWN_PROVIDER"
        assert [fault.field for fault in refused.value.violations] == ["provider"]


async def test_a_bucket_is_read_without_taking_from_it(house: House) -> None:
    ask = rate_limit(house)
    for _ in range(3):
        strategy, decision = await ask(USER, "openai", principal())
        assert (strategy, decision.used, decision.wait_seconds) == ("LEAKY_BUCKET", 0, 0)
    await house.consume(spend(tokens=1000), principal())
    _, decision = await ask(USER, "openai", principal())
    assert (decision.remaining, decision.wait_seconds) == (0, 1)
    _, other = await ask(USER, "qwen", principal())
    assert other.used == 0


async def test_what_is_told_of_a_provider_is_its_settings(house: House) -> None:
    ask = GetProviderQuota(limits=house.limits)
    facts = [await ask(name) for name in ("qwen", "gemini", "openai")]
    assert [(one.default_quota, one.rate_limit, one.enabled) for one in facts] == [
        (1000, 10, True),
        (500, 5, True),
        (2000, 20, True),
    ]
    house.apply(providers_qwen_enabled="false")
    assert not (await ask("qwen")).enabled
    with pytest.raises(AppError) as refused:
        await ask("claude")
    assert refused.value.outcome.http_status == 404


async def test_a_pool_is_made_once_under_a_key_and_shown_as_it_was_made(house: House) -> None:
    create, admin = create_org(house), principal(OTHER, "ADMIN")
    made = await asyncio.gather(
        *(
            create(ORG, "openai", 100, idempotency_key="k", principal=admin)
            for create in (create, create_org(house)) * 10
        )
    )
    assert len(set(made)) == 1
    await update_org(house)(ORG, "openai", 5)
    house.clock.pass_seconds(3600)
    again = await create(ORG, "openai", 100, idempotency_key="k", principal=admin)
    assert again == made[0]
    assert again == PoolView(pool=replace(again.pool, allowance=100), window=again.window)
    assert (await get_org(house)(ORG, "openai")).pool.total == 5


@pytest.mark.parametrize(
    "other", [(OTHER, "openai", 100), (ORG, "gemini", 100), (ORG, "openai", 101)]
)
async def test_a_key_of_another_pool_is_a_conflict(
    house: House, other: tuple[str, str, int]
) -> None:
    create, admin = create_org(house), principal(OTHER, "ADMIN")
    await create(ORG, "openai", 100, idempotency_key="k", principal=admin)
    with pytest.raises(AppError) as refused:
        await create(*other, idempotency_key="k", principal=admin)
    assert refused.value.outcome.name == "IDEMPOTENCY_KEY_REUSED"
    # Another's key is another key, and so is nobody's.
    for caller in (principal(USER, "ADMIN"), NOBODY):
        with pytest.raises(AppError) as refused:
            await create(ORG, "openai", 100, idempotency_key="k", principal=caller)
        assert refused.value.outcome.name == "QUOTA_EXISTS"


async def test_a_pool_that_was_refused_frees_its_key(house: House) -> None:
    create = create_org(house)
    with pytest.raises(AppError) as refused:
        await create(ORG, "claude", 100, idempotency_key="k")
    assert refused.value.outcome.name == "UNKNOWN_PROVIDER"
    assert (await create(ORG, "openai", 100, idempotency_key="k")).pool.total == 100
