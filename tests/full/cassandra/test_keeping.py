"""What Cassandra forgets by itself, and what is deleted."""

import asyncio
import time
from uuid import uuid4

import pytest

from svc_analytics.domain.totals import Totals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Window
from svc_analytics.stores import STORES
from svc_analytics.stores.cassandra.calendar import DAY_US, HOUR_US
from svc_analytics.stores.cassandra.lifetime import DAY_SECONDS
from svc_analytics.stores.cassandra.shards import SHARDS, shard_of
from tests.full.cassandra.opening import opened
from tests.parts import cassandra
from tests.parts.urls import CASSANDRA, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(CASSANDRA), reason="no Cassandra here"),
]
USER = "aaaaaaaa-0000-4000-8000-000000000000"
TABLES = ("usage_by_provider", "usage_by_user", "usage_ids", "usage_hours", "usage_rollups")
WHOLE = Window(start_us=0, end_us=1_000 * DAY_US)


def an_event(at_us: int, *, user: str = USER) -> UsageEvent:
    return UsageEvent(
        event_id=str(uuid4()),
        user_id=user,
        provider="openai",
        tokens=10,
        allowed=True,
        at_us=at_us,
    )


def rows(keyspace: str) -> dict[str, int]:
    """How many rows each table has."""
    counted = {}
    for table in TABLES:
        ((count,),) = cassandra.execute(keyspace, f"SELECT count(*) FROM {table}")  # noqa: S608
        counted[table] = count
    return counted


async def test_events_expire_after_their_retention(keyspace: str) -> None:
    async with STORES.open(keyspace, retention_seconds=100) as store:
        await store.append([an_event(1)])
    for table in ("usage_by_provider", "usage_by_user"):
        ((ttl,),) = cassandra.execute(keyspace, f"SELECT ttl(tokens) FROM {table}")  # noqa: S608
        assert 0 < ttl <= 100
    # What leads to them outlives them.
    ((mark,),) = cassandra.execute(keyspace, "SELECT ttl(mark) FROM usage_hours")
    assert mark > 100


async def test_a_retention_longer_than_cassandra_can_count_keeps_events_for_as_long_as_it_can(
    keyspace: str,
) -> None:
    async with STORES.open(keyspace, retention_seconds=100 * 365 * DAY_SECONDS) as store:
        await store.append([an_event(1)])
        assert (await store.summary("openai", WHOLE, top=5)).totals.events == 1
    ((ttl,),) = cassandra.execute(keyspace, "SELECT ttl(tokens) FROM usage_by_provider")
    ((mark,),) = cassandra.execute(keyspace, "SELECT ttl(mark) FROM usage_hours")
    assert 0 < ttl < mark


async def test_an_expired_event_is_in_no_answer(keyspace: str) -> None:
    async with STORES.open(keyspace, retention_seconds=1) as store:
        await store.append([an_event(1)])
        deadline = time.monotonic() + 30
        while await store.newest("openai", limit=5):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        assert (await store.summary("openai", WHOLE, top=5)).totals == Totals()
        assert list(await store.by_provider(WHOLE)) == []


async def test_deleting_leaves_nothing_of_the_old_hours(keyspace: str) -> None:
    old = [an_event(day * DAY_US + hour * HOUR_US) for day in range(3) for hour in range(4)]
    kept = an_event(2 * DAY_US + 4 * HOUR_US)
    async with opened(keyspace) as store:
        await store.append([*old, kept])
        await store.rollups.turn()
        deleted: list[int] = []
        while not deleted or deleted[-1] == 5:
            deleted.append(await store.delete_before(kept.at_us, limit=5))
        assert deleted == [5, 5, 2]
        assert list(await store.newest("openai", limit=9)) == [kept]
        assert list(await store.newest("openai", user=USER, limit=9)) == [kept]
        assert (await store.summary("openai", WHOLE, top=5)).totals == Totals(events=1, tokens=10)
        assert rows(keyspace) == dict.fromkeys(TABLES, 1)
        # Another turn finds nothing, and an event that comes again is new, as on SQL.
        assert await store.delete_before(kept.at_us, limit=5) == 0
        assert await store.append([old[0]]) == 1


async def test_the_rollup_of_an_hour_that_is_cut_by_a_deletion_does_not_count(
    keyspace: str,
) -> None:
    async with opened(keyspace) as store:
        await store.append([an_event(1), an_event(2), an_event(3)])
        await store.rollups.turn()
        assert await store.delete_before(2, limit=5) == 1
        assert (await store.summary("openai", WHOLE, top=5)).totals.events == 2
        await store.rollups.add_up("openai", 0)
        assert (await store.summary("openai", WHOLE, top=5)).totals.events == 2


async def test_the_newest_are_found_however_far_back(keyspace: str) -> None:
    async with opened(keyspace) as store:
        busy = [an_event(day * DAY_US, user=str(uuid4())) for day in range(90)]
        await store.append([an_event(5), *busy])
        newest = await store.newest("openai", limit=200)
        assert [event.at_us for event in newest] == [
            *(day * DAY_US for day in range(89, 0, -1)),
            5,
            0,
        ]
        assert [event.at_us for event in await store.newest("openai", user=USER, limit=3)] == [5]


async def test_a_day_is_spread_over_all_shards(keyspace: str) -> None:
    events = [an_event(number) for number in range(400)]
    async with opened(keyspace) as store:
        await store.append(events)
        assert len(await store.newest("openai", limit=1_000)) == 400
    count = "SELECT shard, count(*) FROM usage_by_provider GROUP BY provider, day, shard"
    spread = dict(cassandra.execute(keyspace, count))
    assert sorted(spread) == list(SHARDS)
    assert all(20 < rows_there < 90 for rows_there in spread.values())
    assert spread[shard_of(events[0].event_id)] > 0


async def test_an_answer_of_many_pages_is_complete(keyspace: str) -> None:
    async with opened(keyspace) as store:
        for _ in range(3):
            await store.append([an_event(7) for _ in range(1_000)])
        mine = await store.summary("openai", WHOLE, user=USER, top=1)
        assert mine.totals == Totals(events=3_000, tokens=30_000)
