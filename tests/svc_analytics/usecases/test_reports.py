"""The reading use cases, over a real store."""

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from mesh.clock import Clock
from svc_analytics.domain.totals import Totals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import MINUTE_US, SECOND_US
from svc_analytics.ports import UsageStore
from svc_analytics.settings import DAY_SECONDS
from svc_analytics.usecases.get_anomalies import GetAnomalies
from svc_analytics.usecases.get_report import GetReport
from svc_analytics.usecases.get_trends import GetTrends
from svc_analytics.usecases.get_user_usage import GetUserUsage
from svc_analytics.usecases.list_provider_shares import ListProviderShares
from svc_analytics.usecases.list_usage import ListUsage

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]
ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
HOUR_US = 60 * MINUTE_US


async def test_usage_is_twenty_events_unless_said(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    await store.append([make_event(at_us=now - age) for age in range(25)])
    events = await ListUsage(store=store)("openai")
    assert [now - event.at_us for event in events] == list(range(20))


async def test_usage_of_one_user_is_that_users(store: UsageStore, make_event: Make) -> None:
    mine = make_event(user_id=ALICE)
    await store.append([mine, make_event(user_id=BOB)])
    assert list(await ListUsage(store=store)("openai", only_user=ALICE)) == [mine]


async def test_a_report_covers_the_last_hour_and_this_very_microsecond(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    ages = {0: 1, HOUR_US - 1: 10, HOUR_US: 100, -1: 1_000}
    await store.append([make_event(at_us=now - age, tokens=used) for age, used in ages.items()])
    report = await GetReport(store=store, clock=clock)("openai")
    assert report.summary.totals == Totals(events=2, tokens=11)
    assert report.window.length_us == HOUR_US


async def test_who_asks_for_the_same_at_once_shares_a_read_and_nobody_elses(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append([make_event(user_id=ALICE, tokens=2), make_event(user_id=BOB, tokens=3)])
    get = GetReport(store=store, clock=clock)
    all_, again, alices = await asyncio.gather(
        get("openai"), get("openai"), get("openai", only_user=ALICE)
    )
    assert again is all_
    assert (all_.summary.totals.tokens, alices.summary.totals.tokens) == (5, 2)
    assert await get("openai") is not all_


async def test_a_report_names_at_most_five_users_but_counts_all(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    users = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(7)]
    await store.append([make_event(user_id=user) for user in users])
    summary = (await GetReport(store=store, clock=clock)("openai")).summary
    assert len(summary.top_users) == 5
    assert summary.unique_users == 7
    assert summary.totals.events == 7


async def test_a_report_for_one_user_hides_the_others(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append([make_event(user_id=ALICE, tokens=1), make_event(user_id=BOB, tokens=2)])
    report = await GetReport(store=store, clock=clock)("openai", only_user=BOB)
    assert report.summary.totals == Totals(events=1, tokens=2)
    assert [user.user_id for user in report.summary.top_users] == [BOB]


async def test_an_anomaly_is_measured_against_the_windows_just_before(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    # Current 90; baselines 10, 20, 0 and 30; then one that is too old.
    history = [(0, 90), (1, 10), (2, 20), (4, 30), (5, 10_000)]
    await store.append(
        [make_event(at_us=now - hours * HOUR_US, tokens=used) for hours, used in history]
    )
    found = (
        await GetAnomalies(store=store, clock=clock, retention_seconds=DAY_SECONDS)("openai")
    ).comparison
    assert found.current_tokens == 90
    assert found.baseline_average == 15.0
    assert found.ratio == 6.0
    assert found.anomaly


@pytest.mark.parametrize(
    ("kept_hours", "average"),
    # Two windows before the current one are kept as a whole, nearly two, none, not even this one.
    [(3.0, 15.0), (2.99, 10.0), (1.0, 0.0), (0.5, 0.0)],
)
async def test_a_window_that_retention_has_begun_to_empty_is_no_baseline(
    store: UsageStore, clock: Clock, make_event: Make, kept_hours: float, average: float
) -> None:
    now = clock.now_us()
    history = [(0, 10), (1, 10), (2, 20), (3, 1), (4, 0)]
    await store.append(
        [make_event(at_us=now - hours * HOUR_US, tokens=used) for hours, used in history]
    )
    anomalies = GetAnomalies(store=store, clock=clock, retention_seconds=kept_hours * 3600)
    found = (await anomalies("openai")).comparison
    assert (found.current_tokens, found.baseline_average) == (10, average)
    assert found.ratio == (10 / average if average else None)


async def test_denied_tokens_make_no_anomaly_and_no_baseline(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    denied = [make_event(at_us=now - age, allowed=False) for age in (0, HOUR_US)]
    await store.append([make_event(at_us=now, tokens=5), *denied])
    found = (
        await GetAnomalies(store=store, clock=clock, retention_seconds=DAY_SECONDS)("openai")
    ).comparison
    assert (found.current_tokens, found.baseline_average) == (5, 0.0)
    assert found.ratio is None
    assert not found.anomaly


async def test_a_users_anomaly_is_of_its_own_events(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    await store.append(
        [
            make_event(at_us=now, user_id=ALICE, tokens=10),
            make_event(at_us=now - HOUR_US, user_id=ALICE, tokens=10),
            make_event(at_us=now, user_id=BOB, tokens=10_000),
        ]
    )
    anomalies = GetAnomalies(store=store, clock=clock, retention_seconds=DAY_SECONDS)
    found = await anomalies("openai", baseline_windows=1, threshold=1.5, only_user=ALICE)
    assert found.comparison.ratio == 1.0
    assert not found.comparison.anomaly


async def test_shares_rank_the_providers_of_the_window(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    await store.append(
        [
            make_event(provider="qwen", tokens=25, user_id=ALICE),
            make_event(provider="openai", tokens=75, user_id=BOB),
            make_event(provider="gemini", tokens=9, allowed=False, user_id=BOB),
            make_event(provider="old", tokens=99, at_us=clock.now_us() - HOUR_US),
        ]
    )
    found = await ListProviderShares(store=store, clock=clock)()
    names = [usage.provider for usage in found.usages]
    assert list(zip(names, found.shares, strict=True)) == [
        ("openai", 0.75),
        ("qwen", 0.25),
        ("gemini", 0.0),
    ]
    mine = await ListProviderShares(store=store, clock=clock)(only_user=ALICE)
    assert [usage.provider for usage in mine.usages] == ["qwen"]
    assert mine.shares == (1.0,)


async def test_a_users_use_is_summed_over_providers(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    await store.append(
        [
            make_event(provider="qwen", tokens=5, at_us=now - 7, user_id=ALICE),
            make_event(provider="openai", tokens=3, at_us=now - 9, user_id=ALICE),
            make_event(provider="openai", tokens=8, at_us=now - 8, user_id=ALICE, allowed=False),
            make_event(provider="openai", tokens=8, user_id=BOB),
        ]
    )
    found = await GetUserUsage(store=store, clock=clock)(ALICE)
    assert found.totals == Totals(events=3, denied=1, tokens=8)
    assert found.last_us == now - 7
    assert [usage.provider for usage in found.providers] == ["qwen", "openai"]


async def test_an_unknown_user_has_used_nothing(store: UsageStore, clock: Clock) -> None:
    found = await GetUserUsage(store=store, clock=clock)(ALICE)
    assert (found.totals, found.last_us, found.providers) == (Totals(), None, ())


async def test_trends_are_a_minute_a_point_with_zeros_between(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    await store.append([make_event(tokens=4), make_event(tokens=6, at_us=now - HOUR_US + 1)])
    found = await GetTrends(store=store, clock=clock)("openai")
    assert len(found.totals) == 60
    assert found.buckets.width_us == 60 * SECOND_US
    assert found.totals[0] == Totals(events=1, tokens=6)
    assert found.totals[-1] == Totals(events=1, tokens=4)
    assert set(found.totals[1:-1]) == {Totals()}


@pytest.mark.parametrize(("minutes", "buckets"), [(60, 7), (1, 500), (43_200, 11)])
async def test_the_points_of_a_trend_add_up_to_the_report(
    store: UsageStore, clock: Clock, make_event: Make, minutes: int, buckets: int
) -> None:
    step = minutes * MINUTE_US // 97
    await store.append([make_event(at_us=clock.now_us() - step * age) for age in range(120)])
    trends = await GetTrends(store=store, clock=clock)(
        "openai", window_minutes=minutes, buckets=buckets
    )
    report = await GetReport(store=store, clock=clock)("openai", window_minutes=minutes)
    assert sum(point.events for point in trends.totals) == report.summary.totals.events
    assert sum(point.tokens for point in trends.totals) == report.summary.totals.tokens
    assert len(trends.totals) <= buckets


async def test_an_unknown_provider_is_empty_everywhere(store: UsageStore, clock: Clock) -> None:
    assert list(await ListUsage(store=store)("nobody")) == []
    report = await GetReport(store=store, clock=clock)("nobody")
    assert report.summary.totals == Totals()
    trends = await GetTrends(store=store, clock=clock)("nobody")
    assert trends.totals == (Totals(),) * 60
    anomalies = await GetAnomalies(store=store, clock=clock, retention_seconds=DAY_SECONDS)(
        "nobody"
    )
    assert anomalies.comparison.ratio is None


def asked() -> tuple[float, ...]:
    names = ("usage", "report", "anomaly")
    values = (REGISTRY.get_sample_value(f"analytics_{name}_query_total") for name in names)
    return tuple(value or 0.0 for value in values)


async def test_questions_are_counted_by_what_is_asked(store: UsageStore, clock: Clock) -> None:
    before = asked()
    await ListUsage(store=store)("openai")
    await GetUserUsage(store=store, clock=clock)(ALICE)
    await GetReport(store=store, clock=clock)("openai")
    await GetAnomalies(store=store, clock=clock, retention_seconds=DAY_SECONDS)("openai")
    await GetTrends(store=store, clock=clock)("openai")
    assert [after - one for after, one in zip(asked(), before, strict=True)] == [2, 1, 1]
