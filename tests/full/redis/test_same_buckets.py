"""Buckets in memory and on Redis, driven side by side, against the rules themselves."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from mesh.storage.redis_script import open_script
from svc_token.domain import bucket
from svc_token.domain.bucket import MICRO, BucketRule, Level, Strategy, Taken
from svc_token.stores.buckets_memory import MemoryBuckets
from svc_token.stores.buckets_redis import SCRIPT, RedisBuckets
from tests.parts.redis import corner
from tests.parts.urls import REDIS, url
from tests.svc_token.conftest import NOW_US, HandClock

pytestmark = pytest.mark.skipif(not url(REDIS), reason="needs a Redis")
KEY = "bucket:{user}:openai"
DAY_US = 24 * 3600 * MICRO
# The bounds of the settings: capacity and rate, times a tier's multiplier.
MOST_TOKENS = 10**9 * 10**6
MOST_RATE = MOST_TOKENS * MICRO
LONGEST_WINDOW_SECONDS = 31_536_000


def sizes(most: int) -> st.SearchStrategy[int]:
    """Numbers of every length up to a bound, and those beside round ones."""
    powers = st.integers(0, len(str(most)) - 1).map(lambda digits: 10**digits)
    lengths = powers.flatmap(lambda power: st.integers(power, min(most, 10 * power)))
    return lengths | powers | st.sampled_from([1, most, max(1, most - 1), max(1, most // 3)])


STEADY = BucketRule(strategy=Strategy.LEAKY_BUCKET, capacity=MOST_TOKENS, rate=1, window_us=1)
RULES = st.builds(
    BucketRule,
    strategy=st.sampled_from(list(Strategy)),
    capacity=sizes(MOST_TOKENS),
    rate=sizes(MOST_RATE),
    window_us=sizes(LONGEST_WINDOW_SECONDS).map(lambda seconds: seconds * MICRO),
)


@dataclass
class Stores:
    """Both stores under one clock, and what Redis holds."""

    clock: HandClock
    redis: RedisBuckets
    looking: Any
    runner: asyncio.Runner


@pytest.fixture
def stores() -> Iterator[Stores]:
    with corner() as address, Redis.from_url(address) as looking, asyncio.Runner() as runner:
        opened = open_script(address, SCRIPT, store="buckets")
        clock = HandClock()
        redis = RedisBuckets(runner.run(opened.__aenter__()), DAY_US, clock=clock)
        yield Stores(clock, redis, looking, runner)
        runner.run(opened.__aexit__(None, None, None))


class SameBuckets(RuleBasedStateMachine):
    """Every answer and every level is the same, to the last micro-token."""

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self.stores, self.clock = stores, stores.clock
        self.memory = MemoryBuckets(self.clock, 2**62)
        self.level = Level()
        self.taken: list[Taken] = []
        stores.looking.delete(KEY)

    @initialize(first=RULES, now=st.sampled_from([NOW_US, 1, MICRO]) | st.integers(0, 2**52))
    def begin(self, first: BucketRule, now: int) -> None:
        self.clock.now, self.rule = now, first

    @rule(by=sizes(10 * MICRO) | st.integers(0, 3), back=st.booleans())
    def time_passes(self, by: int, back: bool) -> None:  # noqa: FBT001 drawn
        self._pass(-by if back else by)

    @rule(percent=st.integers(1, 110), by=st.integers(-2, 2))
    def a_share_of_it_drains(self, percent: int, by: int) -> None:
        self._pass(max(0, self.level.used * MICRO * percent // 100 // self.rule.rate + by))

    def _pass(self, by_us: int) -> None:
        self.clock.now = min(max(0, self.clock.now + by_us), 2**53 - 1)

    @rule(other=RULES)
    def the_rule_changes(self, other: BucketRule) -> None:
        self.rule = other

    @rule(seconds=sizes(10**9), percent=st.integers(1, 110), by=st.integers(0, MICRO))
    def it_will_drain_within(self, seconds: int, percent: int, by: int) -> None:
        rate = self.level.used * percent // 100 // seconds + by
        self.rule = replace(self.rule, rate=min(max(1, rate), MOST_RATE))

    @rule(data=st.data())
    def a_take(self, data: st.DataObject) -> None:
        most = self.rule.capacity
        left = most - self.level.used // MICRO
        near = st.integers(-1, 1).map(lambda by: min(max(1, left + by), most))
        cost = data.draw(sizes(most) | near)
        self.level, expected = bucket.take(self.level, cost, self.clock.now, self.rule)
        assert self._both("take", KEY, cost, self.rule) == [expected, expected]
        if expected.taken:
            self.taken.append(expected.taken)

    @rule(cost=sizes(MOST_TOKENS), data=st.data())
    def a_refund(self, cost: int, data: st.DataObject) -> None:
        places = [*self.taken, Taken(self.clock.now), Taken(0)]
        place = data.draw(st.sampled_from(places))
        self.level = bucket.refund(self.level, cost, place, self.clock.now, self.rule)
        assert self._both("refund", KEY, cost, self.rule, taken=place) == [None, None]

    @rule()
    def a_peek(self) -> None:
        expected = bucket.peek(self.level, self.clock.now, self.rule)
        assert self._both("peek", KEY, self.rule) == [expected, expected]

    def _both(self, verb: str, *what: Any, **more: Any) -> list[Any]:
        async def ask() -> list[Any]:
            both = (self.memory, self.stores.redis)
            return [await getattr(store, verb)(*what, **more) for store in both]

        return self.stores.runner.run(ask())

    @invariant()
    def the_levels_are_the_same(self) -> None:
        value = self.stores.looking.get(KEY) or b"0 0"
        assert Level(*map(int, value.split())) == self.level
        assert self.memory._level(KEY) == self.level


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cases=st.lists(
        st.tuples(
            sizes(MOST_TOKENS * MICRO),
            sizes(MOST_RATE),
            st.integers(1, 110),
            st.integers(-2, 2) | st.integers(0, MICRO),
        ),
        min_size=1,
        max_size=50,
    )
)
def test_what_is_in_a_bucket_drains_exactly(
    stores: Stores, cases: list[tuple[int, int, int, int]]
) -> None:
    since, levels = 1_000_000, dict[str, Level]()
    for used, rate, percent, by in cases:
        passed = min(max(0, used * MICRO * percent // 100 // rate + by), 2**53 - 1 - since)
        stores.clock.now = since + passed
        rule = replace(STEADY, rate=rate)
        key, level = f"{KEY}:{len(levels)}", Level(used, since)
        stores.looking.set(key, f"{used} {since}")
        levels[key], expected = bucket.take(level, 1, stores.clock.now, rule)
        assert stores.runner.run(stores.redis.take(key, 1, rule)) == expected
    found = stores.looking.mget(levels)
    assert [Level(*map(int, value.split())) for value in found] == list(levels.values())


def test_memory_and_redis_do_the_same(stores: Stores) -> None:
    class Here(SameBuckets):
        def __init__(self) -> None:
            super().__init__(stores)

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=40, stateful_step_count=40, deadline=None),
    )
