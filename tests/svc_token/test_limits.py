"""The settings, at their edges, as the domain sees them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.settings import Live
from mesh.settings.source import SettingsError
from svc_token.domain.bucket import Strategy
from svc_token.domain.pool import Pool
from svc_token.domain.window import Window
from svc_token.limits import LiveLimits
from svc_token.settings import TokenSettings
from tests.svc_token.conftest import NOW_US, HandClock, house_in, principal, spend

NOBODY: frozenset[str] = frozenset()
HOUR, DAY = 3_600_000_000, 86_400_000_000


def read(data: Path, **env: str) -> Live[TokenSettings]:
    return Live.read(TokenSettings, {"LEAKY_DATA": str(data), **env})


def limits_of(data: Path, **env: str) -> LiveLimits:
    return LiveLimits(read(data, **env))


def test_the_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    limits = limits_of(tmp_path)
    user, admin = (limits.bucket(frozenset({role}), "openai") for role in ("USER", "ADMIN"))
    assert (user.strategy, user.capacity, user.rate) == (Strategy.LEAKY_BUCKET, 1000, 10_000_000)
    assert (user.window_us, admin.capacity, admin.rate) == (60_000_000, 2000, 20_000_000)
    assert limits.allowance(frozenset({"USER"})) == 100_000
    assert limits.allowance(frozenset({"USER", "ADMIN"})) == 500_000
    assert limits.window(NOW_US).length_us == DAY
    assert limits.quotas_enforced
    assert limits.purchases_enabled
    assert not limits.purchases_fail
    settings = read(tmp_path).current.token
    assert (settings.bucket.store, settings.bucket.entry_ttl) == ("memory://", 6 * 3600)
    assert (settings.usage.topic, settings.saga.topic) == ("token-usage", "token-purchase-events")
    assert (settings.saga.stale_after, settings.saga.recovery_interval) == (600, 60)


def test_the_longest_window_and_lease_still_have_an_end(tmp_path: Path) -> None:
    names = {"LEAKY_TOKEN_QUOTA_WINDOW": "quota.window", "LEAKY_TOKEN_SAGA_LEASE": "saga.lease"}
    limits = limits_of(tmp_path, **dict.fromkeys(names, "36500d"))
    assert datetime.fromtimestamp(limits.window(NOW_US).end_us / 1e6, UTC).year == 2069
    assert NOW_US + limits.lease_us < 2**63
    for name, dotted in names.items():
        with pytest.raises(SettingsError, match=dotted):
            read(tmp_path, **{name: "36501d"})


@pytest.mark.parametrize("roles", [NOBODY, frozenset({"AUDITOR"}), frozenset({"user"})])
def test_roles_without_a_tier_are_the_default_one(tmp_path: Path, roles: frozenset[str]) -> None:
    assert limits_of(tmp_path).allowance(roles) == 100_000


@pytest.mark.parametrize(
    ("capacity", "multiplier", "expected"),
    # As binary fractions these are 114.99999999999999, 5.000000000000001 and 0.3.
    [("100", "1.15", 115), ("1000", "0.005", 5), ("3", "0.1", 1), ("1000", "1.0005", 1000)],
)
def test_multiplied_capacities_are_whole_and_at_least_one(
    tmp_path: Path, capacity: str, multiplier: str, expected: int
) -> None:
    limits = limits_of(
        tmp_path,
        LEAKY_TOKEN_BUCKET_CAPACITY=capacity,
        LEAKY_TOKEN_TIERS_LEVELS_USER_BUCKET_CAPACITY_MULTIPLIER=multiplier,
    )
    assert limits.bucket(NOBODY, "openai").capacity == expected


@pytest.mark.parametrize(
    ("rate", "multiplier", "expected"),
    [("0.1", "1", 100_000), ("0.29", "1", 290_000), ("1.1", "3", 3_300_000), ("1e-9", "1", 1)],
)
def test_leak_rates_may_be_fractions_and_never_stand_still(
    tmp_path: Path, rate: str, multiplier: str, expected: int
) -> None:
    limits = limits_of(
        tmp_path,
        LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND=rate,
        LEAKY_TOKEN_TIERS_LEVELS_USER_BUCKET_LEAK_RATE_MULTIPLIER=multiplier,
    )
    assert limits.bucket(NOBODY, "openai").rate == expected


def test_every_live_setting_is_seen_at_the_next_question(tmp_path: Path) -> None:
    live = read(tmp_path)
    limits = LiveLimits(live)
    assert limits.bucket(NOBODY, "openai").capacity == 1000
    live.apply(
        {
            "token.bucket.strategy": "FIXED_WINDOW",
            "token.bucket.capacity": "7",
            "token.bucket.window-seconds": "5",
            "token.tiers.levels.USER.quota-max-tokens": "3",
            "token.tiers.levels.GOLD.priority": "50",
            "token.tiers.levels.GOLD.quota-max-tokens": "9",
            "feature.flags.token-service.quota-enforcement": "false",
            "feature.flags.token-service.saga-purchases": "false",
            "token.saga.simulate-failure": "true",
        }
    )
    rule = limits.bucket(NOBODY, "openai")
    assert (rule.strategy, rule.capacity, rule.window_us) == (Strategy.FIXED_WINDOW, 7, 5_000_000)
    assert (limits.allowance(NOBODY), limits.allowance(frozenset({"USER", "GOLD"}))) == (3, 9)
    assert (limits.quotas_enforced, limits.purchases_enabled, limits.purchases_fail) == (
        False,
        False,
        True,
    )


def test_a_provider_s_bucket_is_over_the_general_one_and_the_tier_s_over_both(
    tmp_path: Path,
) -> None:
    live = read(tmp_path)
    limits = LiveLimits(live)
    live.apply(
        {
            "token.bucket.capacity": "100",
            "providers.openai.bucket.strategy": "FIXED_WINDOW",
            "providers.openai.bucket.window-seconds": "5",
            "providers.gemini.bucket.capacity": "30",
            "providers.gemini.bucket.leak-rate-per-second": "0.5",
            "token.tiers.levels.ADMIN.bucket-strategy": "TOKEN_BUCKET",
        }
    )
    admin = frozenset({"ADMIN"})
    openai, gemini, qwen = (limits.bucket(NOBODY, name) for name in ("openai", "gemini", "qwen"))
    assert (openai.strategy, openai.window_us) == (Strategy.FIXED_WINDOW, 5_000_000)
    assert (openai.capacity, openai.rate) == (100, 10_000_000)
    assert (gemini.strategy, gemini.window_us) == (Strategy.LEAKY_BUCKET, 60_000_000)
    assert (gemini.capacity, gemini.rate) == (30, 500_000)
    assert qwen == limits.bucket(NOBODY, "of nobody")
    assert (qwen.strategy, qwen.capacity) == (Strategy.LEAKY_BUCKET, 100)
    # The tier's strategy at every provider, its multipliers times what each provider says.
    told = [limits.bucket(admin, name) for name in ("openai", "gemini", "qwen")]
    assert {rule.strategy for rule in told} == {Strategy.TOKEN_BUCKET}
    assert [rule.capacity for rule in told] == [200, 60, 200]
    assert [rule.rate for rule in told] == [20_000_000, 1_000_000, 20_000_000]
    assert told[0].window_us == 5_000_000
    live.apply({})
    assert limits.bucket(admin, "openai").strategy is Strategy.LEAKY_BUCKET


def test_a_default_tier_that_is_none_changes_nothing(tmp_path: Path) -> None:
    live = read(tmp_path)
    limits = LiveLimits(live)
    live.apply({"token.tiers.default-tier": "PLATINUM", "token.bucket.capacity": "7"})
    assert limits.bucket(NOBODY, "openai").capacity == 1000
    with pytest.raises(SettingsError):
        read(tmp_path, LEAKY_TOKEN_TIERS_DEFAULT_TIER="PLATINUM")


def test_the_window_is_not_live(tmp_path: Path) -> None:
    live = read(tmp_path)
    live.apply({"token.quota.window": "1h"})
    assert LiveLimits(live).window(NOW_US).length_us == DAY


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOKEN_BUCKET_CAPACITY", "0"),
        ("TOKEN_BUCKET_LEAK_RATE_PER_SECOND", "0"),
        ("TOKEN_BUCKET_LEAK_RATE_PER_SECOND", "nan"),
        ("TOKEN_BUCKET_LEAK_RATE_PER_SECOND", "inf"),
        ("TOKEN_BUCKET_STRATEGY", "SIEVE"),
        ("TOKEN_BUCKET_WINDOW_SECONDS", "0"),
        ("TOKEN_TIERS_LEVELS_USER_QUOTA_MAX_TOKENS", "-1"),
        ("TOKEN_TIERS_LEVELS_USER_BUCKET_STRATEGY", "SIEVE"),
        ("PROVIDERS_OPENAI_BUCKET_STRATEGY", "SIEVE"),
        ("PROVIDERS_OPENAI_BUCKET_CAPACITY", "0"),
        ("PROVIDERS_OPENAI_BUCKET_LEAK_RATE_PER_SECOND", "0"),
        ("PROVIDERS_OPENAI_BUCKET_WINDOW_SECONDS", "0"),
        ("TOKEN_QUOTA_WINDOW", "500ms"),
        ("TOKEN_SAGA_RECOVERY_INTERVAL", "0"),
    ],
)
def test_what_cannot_be_is_refused_at_start(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError):
        read(tmp_path, **{f"LEAKY_{variable}": value})


@given(
    now_us=st.integers(0, 4_000_000_000_000_000),
    before_us=st.integers(1, 400 * DAY),
    after_us=st.integers(1, 400 * DAY),
)
def test_after_a_change_of_length_a_pool_renews_with_the_first_window_that_begins(
    now_us: int, before_us: int, after_us: int
) -> None:
    pool = Pool(
        key=spend().pool, window=Window.at(now_us, before_us).id, allowance=9, allowance_used=9
    )
    now = Window.at(now_us, after_us)
    assert now.id <= now_us < now.end_us
    following = Window.at(now.end_us, after_us)
    assert following.id == now.end_us
    # Whatever the lengths were: at the latest then there is a whole allowance, once.
    renewed = pool.renewed(now).renewed(following)
    assert (renewed.remaining, renewed.window) == (9, following.id)
    assert renewed.renewed(following) == renewed
    assert renewed.renewed(now) == renewed


@pytest.mark.anyio
@pytest.mark.parametrize(("first", "then"), [("1h", "24h"), ("24h", "1h"), ("24h", "7d")])
async def test_a_window_of_another_length_after_a_restart_still_renews(
    tmp_path: Path, clock: HandClock, first: str, then: str
) -> None:
    url = f"sqlite:///{tmp_path / 'token.db'}"
    tier = {"LEAKY_TOKEN_TIERS_LEVELS_USER_QUOTA_MAX_TOKENS": "100"}
    async with house_in(tmp_path, url, clock, LEAKY_TOKEN_QUOTA_WINDOW=first, **tier) as house:
        await house.consume(spend(tokens=100), principal())
        assert await house.left() == 0
    async with house_in(tmp_path, url, clock, LEAKY_TOKEN_QUOTA_WINDOW=then, **tier) as house:
        clock.now = house.limits.window(clock.now).end_us
        await house.consume(spend(tokens=100), principal())
        assert await house.left() == 0
