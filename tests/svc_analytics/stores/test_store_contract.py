"""What every usage store does."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from svc_analytics.domain.totals import ProviderUsage, Summary, Totals, UserTotals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.ports import UsageStore

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]
ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
WINDOW = Window(start_us=1_000, end_us=2_000)


async def test_an_event_comes_back_as_it_was(store: UsageStore, make_event: Make) -> None:
    allowed = make_event(org_id=BOB, tokens=7, at_us=2)
    denied = make_event(allowed=False, reason="RATE_LIMITED", tokens=9, at_us=1)
    assert await store.append([allowed, denied]) == 2
    assert list(await store.newest("openai", limit=10)) == [allowed, denied]


async def test_an_event_is_kept_once_however_often_it_comes(
    store: UsageStore, make_event: Make
) -> None:
    first, second = make_event(at_us=1), make_event(at_us=2)
    assert await store.append([first, first]) == 1
    assert await store.append([second, first]) == 1
    assert await store.append([first, second]) == 0
    assert list(await store.newest("openai", limit=10)) == [second, first]


async def test_concurrent_deliveries_of_one_batch_keep_each_event_once(
    store: UsageStore, make_event: Make
) -> None:
    batch = [make_event(at_us=at_us) for at_us in range(100)]
    stored = await asyncio.gather(*(store.append(batch) for _ in range(4)))
    assert sorted(stored) == [0, 0, 0, 100]
    assert len(await store.newest("openai", limit=200)) == 100


async def test_nothing_to_append_is_nothing(store: UsageStore) -> None:
    assert await store.append([]) == 0
    assert list(await store.newest("openai", limit=10)) == []


async def test_a_full_batch_fits(store: UsageStore, make_event: Make) -> None:
    assert await store.append([make_event(at_us=1_500) for _ in range(1_000)]) == 1_000
    summary = await store.summary("openai", WINDOW, top=5)
    assert summary.totals == Totals(events=1_000, tokens=10_000)


async def test_events_of_one_microsecond_are_all_kept(store: UsageStore, make_event: Make) -> None:
    twins = [make_event(at_us=1_500), make_event(at_us=1_500)]
    assert await store.append(twins) == 2
    # The greater id first: an order that does not change between two reads.
    assert list(await store.newest("openai", limit=10)) == twins[::-1]


async def test_newest_takes_the_latest_of_that_provider_and_user(
    store: UsageStore, make_event: Make
) -> None:
    events = [make_event(at_us=at_us, user_id=ALICE) for at_us in (5, 1, 3)]
    other = [make_event(at_us=9, user_id=BOB), make_event(at_us=8, user_id=ALICE, provider="qwen")]
    await store.append(events + other)
    assert [event.at_us for event in await store.newest("openai", limit=2)] == [9, 5]
    newest = await store.newest("openai", user=ALICE, limit=2)
    assert [event.at_us for event in newest] == [5, 3]
    assert list(await store.newest("gemini", limit=2)) == []
    assert list(await store.newest("openai", user="", limit=2)) == []


async def test_a_summary_sums_from_start_to_before_end(store: UsageStore, make_event: Make) -> None:
    ends = {999: 1, 1_000: 10, 1_999: 100, 2_000: 1_000}
    await store.append([make_event(at_us=at, tokens=tokens) for at, tokens in ends.items()])
    summary = await store.summary("openai", WINDOW, top=5)
    assert summary.totals == Totals(events=2, tokens=110)


async def test_a_summary_counts_denied_events_but_not_their_tokens(
    store: UsageStore, make_event: Make
) -> None:
    allowed = make_event(at_us=1_500, tokens=3, user_id=ALICE)
    denied = make_event(at_us=1_500, tokens=1_000, allowed=False, user_id=BOB)
    await store.append([allowed, denied])
    assert await store.summary("openai", WINDOW, top=5) == Summary(
        totals=Totals(events=2, denied=1, tokens=3),
        unique_users=2,
        top_users=(
            UserTotals(user_id=ALICE, tokens=3, events=1),
            UserTotals(user_id=BOB, tokens=0, events=1),
        ),
    )


async def test_a_summary_totals_all_users_and_names_the_top(
    store: UsageStore, make_event: Make
) -> None:
    users = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(9)]
    await store.append(
        [
            make_event(at_us=1_500, tokens=number + 1, user_id=user)
            for number, user in enumerate(users)
        ]
    )
    summary = await store.summary("openai", WINDOW, top=2)
    assert summary.totals == Totals(events=9, tokens=45)
    assert summary.unique_users == 9
    assert [user.user_id for user in summary.top_users] == [users[8], users[7]]


async def test_equal_users_rank_by_events_then_id(store: UsageStore, make_event: Make) -> None:
    carol = "cccccccc-0000-4000-8000-000000000000"
    await store.append(
        [
            make_event(at_us=1_500, tokens=10, user_id=BOB),
            make_event(at_us=1_500, tokens=10, user_id=ALICE),
            make_event(at_us=1_500, tokens=4, user_id=carol),
            make_event(at_us=1_500, tokens=6, user_id=carol),
        ]
    )
    top = (await store.summary("openai", WINDOW, top=5)).top_users
    assert [user.user_id for user in top] == [carol, ALICE, BOB]


async def test_an_empty_summary_is_all_zero(store: UsageStore) -> None:
    assert await store.summary("nobody", WINDOW, top=5) == Summary()


async def test_a_users_summary_is_of_that_user(store: UsageStore, make_event: Make) -> None:
    await store.append(
        [make_event(at_us=1_500, user_id=user, tokens=5) for user in (ALICE, BOB, BOB)]
    )
    summary = await store.summary("openai", WINDOW, user=ALICE, top=5)
    assert summary == Summary(
        totals=Totals(events=1, tokens=5),
        unique_users=1,
        top_users=(UserTotals(user_id=ALICE, tokens=5, events=1),),
    )


async def test_buckets_hold_what_falls_between_their_edges(
    store: UsageStore, make_event: Make
) -> None:
    events = [make_event(at_us=at, tokens=1) for at in (999, 1_000, 1_399, 1_400, 1_999, 2_000)]
    denied = make_event(at_us=1_400, tokens=50, allowed=False, user_id=BOB)
    await store.append([*events, denied])
    buckets = Buckets(window=WINDOW, width_us=400)
    assert dict(await store.by_bucket("openai", buckets)) == {
        0: Totals(events=2, tokens=2),
        1: Totals(events=2, denied=1, tokens=1),
        2: Totals(events=1, tokens=1),
    }
    mine = await store.by_bucket("openai", buckets, user=BOB)
    assert dict(mine) == {1: Totals(events=1, denied=1)}
    assert dict(await store.by_bucket("qwen", buckets)) == {}


async def test_each_provider_has_its_totals_and_its_last_event(
    store: UsageStore, make_event: Make
) -> None:
    await store.append(
        [
            make_event(provider="qwen", at_us=1_100, tokens=1, user_id=ALICE),
            make_event(provider="qwen", at_us=1_200, tokens=9, allowed=False, user_id=BOB),
            make_event(provider="openai", at_us=1_300, tokens=4, user_id=ALICE),
            make_event(provider="gemini", at_us=2_000, tokens=4, user_id=ALICE),
        ]
    )
    openai = ProviderUsage(provider="openai", totals=Totals(events=1, tokens=4), last_us=1_300)
    qwen = ProviderUsage(
        provider="qwen", totals=Totals(events=2, denied=1, tokens=1), last_us=1_200
    )
    found = await store.by_provider(WINDOW)
    assert sorted(found, key=lambda usage: usage.provider) == [openai, qwen]
    mine = await store.by_provider(WINDOW, user=ALICE)
    assert sorted(mine, key=lambda usage: usage.provider) == [
        openai,
        replace(qwen, totals=Totals(events=1, tokens=1), last_us=1_100),
    ]


async def test_sums_do_not_overflow(store: UsageStore, make_event: Make) -> None:
    await store.append([make_event(at_us=1_500, tokens=10**12) for _ in range(1_000)])
    assert (await store.summary("openai", WINDOW, top=1)).totals.tokens == 10**15


async def test_deleting_takes_the_oldest_first_and_stops_at_the_limit(
    store: UsageStore, make_event: Make
) -> None:
    await store.append([make_event(at_us=at_us) for at_us in (30, 10, 20, 40)])
    assert await store.delete_before(40, limit=2) == 2
    assert [event.at_us for event in await store.newest("openai", limit=9)] == [40, 30]
    assert await store.delete_before(40, limit=2) == 1
    assert await store.delete_before(40, limit=2) == 0
    assert [event.at_us for event in await store.newest("openai", limit=9)] == [40]


async def test_a_store_that_is_there_answers_a_ping(store: UsageStore) -> None:
    await store.ping()
