"""Hours that are added up once: what is read from them is what the events say."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID, uuid4

import pytest
import structlog.testing
from cassandra import InvalidRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svc_analytics.domain.totals import Totals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.ports import UsageStore
from svc_analytics.stores import SCHEMAS
from svc_analytics.stores.cassandra import rollups
from svc_analytics.stores.cassandra.calendar import HOUR_US
from svc_analytics.stores.cassandra.session import CassandraSession, Write
from svc_analytics.stores.cassandra.sums import ByUser, Rollup
from tests.full.cassandra.opening import opened
from tests.parts import cassandra
from tests.parts.urls import CASSANDRA, url
from tests.svc_analytics.stores.test_against_model import PROVIDERS, SCOPES, USERS, Model, agree

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(CASSANDRA), reason="no Cassandra here"),
]
PATIENCE_SECONDS = 10.0
# Four hours over a midnight.
START = 22 * HOUR_US
WINDOW = Window(start_us=START, end_us=START + 4 * HOUR_US)
MOMENTS = st.builds(
    lambda hour, inside: START + hour * HOUR_US + inside,
    st.integers(0, 3),
    st.sampled_from([0, 1, HOUR_US // 2, HOUR_US - 1]),
)
EVENTS = st.builds(
    UsageEvent,
    event_id=st.integers(0, 60).map(lambda number: str(UUID(int=number))),
    user_id=st.sampled_from(USERS),
    provider=st.sampled_from(PROVIDERS),
    tokens=st.integers(0, 1_000),
    allowed=st.booleans(),
    at_us=MOMENTS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A batch, who of two takes it, and who adds up hours after it."""

    events: Sequence[UsageEvent]
    writer: int
    adders: frozenset[int]


DELIVERIES = st.builds(
    Delivery,
    events=st.lists(EVENTS, max_size=15, unique_by=lambda event: event.event_id),
    writer=st.integers(0, 1),
    adders=st.frozensets(st.integers(0, 1)),
)
WINDOWS = st.tuples(MOMENTS, st.integers(1, 3 * HOUR_US) | st.just(2 * HOUR_US)).map(
    lambda pair: Window(start_us=pair[0], end_us=pair[0] + pair[1])
)
WIDTHS = st.sampled_from([HOUR_US // 2, HOUR_US - 1, HOUR_US, HOUR_US + 7, 2 * HOUR_US])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    deliveries=st.lists(DELIVERIES, max_size=5),
    windows=st.lists(WINDOWS, min_size=1, max_size=2),
    width=WIDTHS,
    user=SCOPES,
)
def test_two_writers_and_any_rollups_read_as_the_model_says(
    deliveries: list[Delivery], windows: list[Window], width: int, user: str | None
) -> None:
    async def replay() -> None:
        keyspace = await cassandra.migrated_keyspace(SCHEMAS)
        async with opened(keyspace) as one, opened(keyspace) as two:
            model, stores = Model(), (one, two)
            for delivery in deliveries:
                new = await stores[delivery.writer].append(delivery.events)
                assert new == model.append(delivery.events)
                for adder in delivery.adders:
                    await stores[adder].rollups.turn()
                for window in (*windows, WINDOW):
                    buckets = Buckets(window=window, width_us=width)
                    await agree(one, model, buckets, user, 3)

    asyncio.run(replay())


def an_event(*, at_us: int = START, tokens: int = 10, user: str = USERS[0]) -> UsageEvent:
    return UsageEvent(
        event_id=str(uuid4()),
        user_id=user,
        provider="openai",
        tokens=tokens,
        allowed=True,
        at_us=at_us,
    )


async def tokens(store: UsageStore) -> int:
    """The tokens of the window, which every way of reading has to agree on."""
    summary = await store.summary("openai", WINDOW, top=5)
    buckets = await store.by_bucket("openai", Buckets(window=WINDOW, width_us=HOUR_US))
    (shares,) = await store.by_provider(WINDOW)
    assert sum(one.tokens for one in buckets.values()) == summary.totals.tokens
    assert shares.totals == summary.totals
    assert sum(user.tokens for user in summary.top_users) == summary.totals.tokens
    return summary.totals.tokens


def falsify(keyspace: str) -> None:
    """Adds 1,000 tokens to each rollup, so that one can see who reads it."""
    name = keyspace.rpartition("/")[2]
    with cassandra.session() as session:
        session.set_keyspace(name)
        for row in session.execute("SELECT provider, day, hour, tokens FROM usage_rollups"):
            provider, day, hour, there = row
            session.execute(
                "UPDATE usage_rollups SET tokens = %s WHERE provider = %s AND day = %s"
                " AND hour = %s",
                (there + 1_000, provider, day, hour),
            )


async def total(store: UsageStore, window: Window = WINDOW) -> Totals:
    return (await store.summary("openai", window, top=5)).totals


async def test_a_quiet_hour_is_read_from_its_rollup(keyspace: str) -> None:
    async with opened(keyspace) as store:
        await store.append([an_event(), an_event(at_us=START + 1)])
        assert await total(store) == Totals(events=2, tokens=20)
        await store.rollups.turn()
        assert await tokens(store) == 20
        falsify(keyspace)
        assert await total(store) == Totals(events=2, tokens=1_020)
        # Not where the window cuts the hour.
        cut = Window(start_us=START + 1, end_us=WINDOW.end_us)
        assert await total(store, cut) == Totals(events=1, tokens=10)


async def test_a_late_event_counts_at_once_and_the_hour_is_added_up_again(keyspace: str) -> None:
    async with opened(keyspace) as store, opened(keyspace) as other:
        await store.append([an_event(), an_event(at_us=START + 2 * HOUR_US)])
        await store.rollups.turn()
        falsify(keyspace)
        # Another instance takes it, and this one reads.
        await other.append([an_event(at_us=START + 5, tokens=7, user=USERS[1])])
        late = Window(start_us=START, end_us=START + HOUR_US)
        assert await total(store, late) == Totals(events=2, tokens=17)
        # The reader has seen that the rollup is worth nothing any more.
        await store.rollups.turn()
        assert await total(store, late) == Totals(events=2, tokens=17)
        falsify(keyspace)
        assert await total(store, late) == Totals(events=2, tokens=1_017)


async def test_an_hour_that_is_not_quiet_is_not_added_up(keyspace: str) -> None:
    async with opened(keyspace, settle=60) as busy, opened(keyspace, settle=60) as other:
        await busy.append([an_event()])
        assert await tokens(other) == 10
        # Due for the one that had to read the events, and too young.
        await other.rollups.turn()
        falsify(keyspace)
        assert await tokens(other) == 10


async def test_a_rollup_that_counts_is_not_made_twice(keyspace: str) -> None:
    async with opened(keyspace) as store, opened(keyspace) as other:
        await store.append([an_event()])
        await store.rollups.turn()
        falsify(keyspace)
        await other.rollups.add_up("openai", START // HOUR_US)
        assert (await total(other)).tokens == 1_010


async def test_an_hour_of_too_many_users_is_added_up_without_them(
    keyspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window(start_us=START, end_us=START + HOUR_US)
    buckets = Buckets(window=window, width_us=HOUR_US)
    async with opened(keyspace) as store:
        await store.append([an_event()])
        await store.rollups.turn()
        # One user fits, two do not; what was kept of the one is not mixed up with that.
        monkeypatch.setattr(rollups, "MOST_BYTES", 60)
        await store.append([an_event(user=USERS[1], tokens=7)])
        await store.rollups.turn()
        falsify(keyspace)
        assert (await store.by_bucket("openai", buckets))[0] == Totals(events=2, tokens=1_017)
        summary = await store.summary("openai", window, top=5)
        assert {one.user_id: one.tokens for one in summary.top_users} == {USERS[0]: 10, USERS[1]: 7}
        assert summary.totals == Totals(events=2, tokens=17)
        # It counts, so it is not made again at every turn.
        await store.rollups.turn()
        assert (await store.by_bucket("openai", buckets))[0].tokens == 1_017


class Held(ByUser):
    """Adds up only once somebody lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def add_hour(self, hour: Window, rollup: Rollup) -> None:
        self.begun.set()
        assert self.go.wait(PATIENCE_SECONDS)
        super().add_hour(hour, rollup)


async def test_while_the_users_of_hours_are_added_up_the_event_loop_goes_on(keyspace: str) -> None:
    # On two days.
    events = [an_event(at_us=START + hour * HOUR_US, user=USERS[hour % 2]) for hour in range(4)]
    async with opened(keyspace) as store:
        await store.append(events)
        await store.rollups.turn()
        sums = Held()
        reading = asyncio.ensure_future(store._totals.add("openai", WINDOW, None, sums))
        assert await asyncio.to_thread(sums.begun.wait, PATIENCE_SECONDS)
        sums.go.set()
        await reading
        assert sums.summary(5) == await store.summary("openai", WINDOW, top=5)
        assert sums.by_user == {USERS[0]: (20, 2), USERS[1]: (20, 2)}


class Refusing(CassandraSession):
    """Writes no rollup of the first hour."""

    async def write(self, *writes: Write) -> None:
        if any(name == "put_rollup" and row[2] == START // HOUR_US for name, row in writes):
            raise InvalidRequest("Mutation is too large")
        await super().write(*writes)


async def test_an_hour_that_is_refused_ends_nothing_and_the_others_are_added_up(
    keyspace: str,
) -> None:
    async with opened(keyspace, kind=Refusing) as store:
        await store.append([an_event(), an_event(at_us=START + HOUR_US)])
        with structlog.testing.capture_logs() as logs:
            await store.rollups.turn()
        assert [entry["hour"] for entry in logs] == [START // HOUR_US]
        falsify(keyspace)
        assert (await total(store)).tokens == 1_020


class Died(Exception):  # noqa: N818 no error, an end
    """The process is gone."""


class Dying(CassandraSession):
    """Does so many writes in full, half of the next one, and no more."""

    writes: ClassVar[int] = 0

    async def write(self, *writes: Write) -> None:
        if type(self).writes == 0:
            await super().write(*writes[: len(writes) // 2])
            raise Died
        type(self).writes -= 1
        await super().write(*writes)


@pytest.mark.parametrize("after", range(4))
async def test_wherever_a_writer_dies_the_next_delivery_makes_it_whole(
    keyspace: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "writes", after)
    batch = [an_event(at_us=START + number * HOUR_US // 10) for number in range(30)]
    async with opened(keyspace, kind=Dying) as dying, opened(keyspace) as next_one:
        with pytest.raises(Died):
            await dying.append(batch)
        # Whatever is there is read, and added up, before the sender comes again.
        before = await total(next_one)
        await next_one.rollups.turn()
        assert await total(next_one) == before
        assert await next_one.append(batch) >= 15
        assert await tokens(next_one) == 300
        await next_one.rollups.turn()
        assert await tokens(next_one) == 300
        assert len(await next_one.newest("openai", limit=100)) == 30
        assert len(await next_one.newest("openai", user=USERS[0], limit=100)) == 30
        assert await next_one.append(batch) == 0


class Watched(CassandraSession):
    """Lets something happen before each of its writes."""

    meanwhile: ClassVar[Callable[[], Awaitable[None]]]

    async def write(self, *writes: Write) -> None:
        await type(self).meanwhile()
        await super().write(*writes)


async def test_an_hour_added_up_in_the_middle_of_an_append_is_not_believed(
    keyspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = START // HOUR_US
    async with opened(keyspace) as other, opened(keyspace, kind=Watched) as watched:

        async def add_up() -> None:
            await other.rollups.add_up("openai", hour)

        monkeypatch.setattr(Watched, "meanwhile", add_up, raising=False)
        for expected in (20, 40):
            await watched.append([an_event(), an_event(at_us=START + 1)])
            assert await tokens(other) == expected


async def test_one_batch_delivered_to_two_instances_at_once_counts_once(keyspace: str) -> None:
    batch = [an_event(at_us=START + number) for number in range(200)]
    async with opened(keyspace) as one, opened(keyspace) as two:
        await asyncio.gather(one.append(batch), two.append(batch[::-1]))
        assert await tokens(one) == 2_000
        await two.rollups.turn()
        assert await tokens(one) == 2_000
        assert await one.append(batch) == 0
