"""What every store of rate buckets promises."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest
from redis import Redis

from mesh.clock import Clock, SystemClock
from mesh.storage.redis_script import open_script
from svc_token.domain.bucket import MICRO, BucketRule, Decision, Strategy, Taken
from svc_token.ports import Buckets
from svc_token.stores import BUCKETS
from svc_token.stores.buckets_memory import MemoryBuckets
from svc_token.stores.buckets_redis import SCRIPT, RedisBuckets
from tests.parts.redis import corner
from tests.parts.urls import REDIS, backends, url
from tests.svc_token.conftest import HandClock
from tests.svc_token.stores.admitted import Admitted, too_much

pytestmark = pytest.mark.anyio
RULE = BucketRule(strategy=Strategy.LEAKY_BUCKET, capacity=10, rate=MICRO, window_us=60 * MICRO)
KEY = "bucket:{a}:openai"
OTHER, SLOW = "bucket:{b}:openai", "bucket:{c}:openai"
TTL_US = 60 * MICRO
Opened = AbstractAsyncContextManager[Buckets]


@asynccontextmanager
async def in_memory(clock: Clock) -> AsyncIterator[Buckets]:
    yield MemoryBuckets(clock, TTL_US)


@asynccontextmanager
async def on_redis(clock: Clock) -> AsyncIterator[Buckets]:
    with corner() as address:
        async with open_script(address, SCRIPT, store="buckets") as script:
            yield RedisBuckets(script, TTL_US, clock=clock)


STORES: dict[str, Callable[[Clock], Opened]] = {"memory": in_memory, "redis": on_redis}


@pytest.fixture(params=backends("memory", redis=REDIS))
async def buckets(request: pytest.FixtureRequest, clock: HandClock) -> AsyncIterator[Buckets]:
    async with STORES[request.param](clock) as opened:
        yield opened


@pytest.fixture(params=backends("memory", redis=REDIS))
async def as_wired(request: pytest.FixtureRequest) -> AsyncIterator[Buckets]:
    """As settings open it, on the time that it has of its own."""
    ttl_us = MICRO // 5
    if request.param == "memory":
        async with BUCKETS.open("memory://", clock=SystemClock(), ttl_us=ttl_us) as opened:
            yield opened
        return
    with corner() as address:
        # A clock that would never move is not looked at.
        async with BUCKETS.open(address, clock=HandClock(), ttl_us=ttl_us) as opened:
            yield opened


async def test_take_refund_and_peek_agree(buckets: Buckets) -> None:
    taken = await buckets.take(KEY, 10, RULE)
    assert taken.allowed
    assert not (await buckets.take(KEY, 1, RULE)).allowed
    await buckets.refund(KEY, 4, RULE, taken=Taken(taken.at_us))
    seen = await buckets.peek(KEY, RULE)
    assert (seen.used, seen.remaining) == (6, 4)
    assert (await buckets.peek(OTHER, RULE)).remaining == 10


async def test_a_cost_above_the_capacity_is_an_error_and_changes_nothing(
    buckets: Buckets,
) -> None:
    with pytest.raises(ValueError, match="never fit"):
        await buckets.take(KEY, 11, RULE)
    assert (await buckets.peek(KEY, RULE)).used == 0


@pytest.mark.parametrize("strategy", [Strategy.LEAKY_BUCKET, Strategy.TOKEN_BUCKET])
async def test_a_bucket_drains_with_time(
    buckets: Buckets, clock: HandClock, strategy: Strategy
) -> None:
    rule = replace(RULE, strategy=strategy)
    await buckets.take(KEY, 10, rule)
    refused = await buckets.take(KEY, 3, rule)
    assert (refused.allowed, refused.wait_us, refused.at_us) == (False, 3 * MICRO, clock.now)
    clock.now += refused.wait_us - 1
    assert not (await buckets.take(KEY, 3, rule)).allowed
    clock.now += 1
    assert (await buckets.take(KEY, 3, rule)).allowed


async def test_a_window_forgets_when_it_ends_and_its_refunds_with_it(
    buckets: Buckets, clock: HandClock
) -> None:
    rule = replace(RULE, strategy=Strategy.FIXED_WINDOW)
    clock.now += -clock.now % rule.window_us + 59 * MICRO
    first = await buckets.take(KEY, 10, rule)
    assert (await buckets.take(KEY, 1, rule)).wait_us == MICRO
    clock.now += MICRO
    assert (await buckets.take(KEY, 10, rule)).used == 10
    await buckets.refund(KEY, 10, rule, taken=Taken(first.at_us))
    assert (await buckets.peek(KEY, rule)).used == 10


async def test_what_a_window_took_at_its_first_moment_is_its_own(
    buckets: Buckets, clock: HandClock
) -> None:
    rule = replace(RULE, strategy=Strategy.FIXED_WINDOW)
    clock.now += -clock.now % rule.window_us
    taken = await buckets.take(KEY, 10, rule)
    await buckets.refund(KEY, 4, rule, taken=Taken(taken.at_us))
    assert (await buckets.peek(KEY, rule)).used == 6


async def test_a_rule_that_changes_keeps_what_is_in_the_bucket(buckets: Buckets) -> None:
    await buckets.take(KEY, 8, RULE)
    smaller = await buckets.take(KEY, 1, replace(RULE, capacity=4))
    assert (smaller.allowed, smaller.used, smaller.remaining) == (False, 4, 0)
    assert (await buckets.take(KEY, 12, replace(RULE, capacity=20))).used == 20


async def test_callers_at_once_get_exactly_what_fits(buckets: Buckets) -> None:
    rule = replace(RULE, capacity=100)
    asked = [buckets.take(KEY, 7, rule) for _ in range(64)]
    decisions = await asyncio.gather(*asked, *(buckets.peek(OTHER, rule) for _ in range(8)))
    assert sum(decision.allowed for decision in decisions[:64]) == 14
    assert (await buckets.peek(KEY, rule)).used == 98


async def test_an_idle_bucket_is_forgotten_when_it_is_empty_and_not_before(
    as_wired: Buckets,
) -> None:
    # A tenth of a second to drain, twice that is the time to live; the other takes months.
    soon, hardly = replace(RULE, rate=100 * MICRO), replace(RULE, rate=1)
    await as_wired.take(KEY, 10, soon)
    await as_wired.take(SLOW, 10, hardly)
    async with asyncio.timeout(10):
        # By a rule that does not drain at all in that time: it was forgotten, not emptied.
        while (await as_wired.peek(KEY, hardly)).used:
            await as_wired.take(OTHER, 1, replace(RULE, capacity=MICRO))
            await asyncio.sleep(0.01)
    assert not (await as_wired.take(SLOW, 1, hardly)).allowed


async def test_forgetting_admits_no_more_than_the_rule(clock: HandClock) -> None:
    buckets = MemoryBuckets(clock, MICRO)
    rules = {strategy: replace(RULE, strategy=strategy) for strategy in Strategy}
    rules[Strategy.FIXED_WINDOW] = replace(rules[Strategy.FIXED_WINDOW], window_us=30 * MICRO)
    admitted: dict[Strategy, list[Admitted]] = {strategy: [] for strategy in Strategy}
    for _ in range(40):
        for strategy, rule in rules.items():
            while (decision := await buckets.take(strategy, 1, rule)).allowed:
                admitted[strategy].append((decision.at_us, 1))
        # Idle for longer than the time to live; another bucket's call clears up.
        clock.now += 3 * MICRO
        await buckets.take(OTHER, 1, RULE)
    for strategy, rule in rules.items():
        assert too_much(admitted[strategy], rule) == 0


async def test_a_refund_is_of_what_has_not_drained(buckets: Buckets, clock: HandClock) -> None:
    first = await buckets.take(KEY, 10, RULE)
    clock.now += 10 * MICRO
    await buckets.take(KEY, 10, RULE)
    await buckets.refund(KEY, 10, RULE, taken=Taken(first.at_us))
    assert not (await buckets.take(KEY, 1, RULE)).allowed


async def test_what_is_undone_at_once_is_put_back_whole_though_time_has_passed(
    buckets: Buckets, clock: HandClock
) -> None:
    # 5 are there to stay; the others come, and all go again half a second later.
    await buckets.take(KEY, 5, RULE)
    for _ in range(8):
        taken = [await buckets.take(KEY, 1, RULE) for _ in range(5)]
        clock.now += MICRO // 2
        for one in taken:
            await undo(buckets, one, 1)
    assert (await buckets.peek(KEY, RULE)).used == 1


async def undo(buckets: Buckets, decision: Decision, cost: int) -> None:
    assert decision.taken is not None
    await buckets.refund(KEY, cost, RULE, taken=decision.taken)


async def test_what_was_behind_tokens_that_were_put_back_has_drained_in_their_place(
    buckets: Buckets, clock: HandClock
) -> None:
    first = await buckets.take(KEY, 8, RULE)
    second = await buckets.take(KEY, 2, RULE)
    clock.now += MICRO
    await undo(buckets, first, 8)
    clock.now += 2 * MICRO
    assert (await buckets.take(KEY, 7, RULE)).allowed
    # Behind the first they would begin to drain in five seconds; without it they are gone.
    await undo(buckets, second, 2)
    assert not (await buckets.take(KEY, 4, RULE)).allowed
    assert (await buckets.take(KEY, 2, RULE)).allowed


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_in_whatever_order_an_instant_is_undone_it_leaves_nothing(
    buckets: Buckets, order: tuple[int, ...]
) -> None:
    taken = [await buckets.take(KEY, cost, RULE) for cost in (5, 3, 2)]
    for at in order:
        await undo(buckets, taken[at], (5, 3, 2)[at])
    assert (await buckets.take(KEY, 10, RULE)).allowed


async def test_what_a_bucket_that_was_empty_since_had_taken_is_not_put_back(
    buckets: Buckets, clock: HandClock
) -> None:
    gone = await buckets.take(KEY, 8, RULE)
    await buckets.take(KEY, 1, RULE)
    await undo(buckets, gone, 8)
    late = await buckets.take(KEY, 2, RULE)
    clock.now += 3 * MICRO
    await buckets.take(KEY, 10, RULE)
    await undo(buckets, late, 2)
    assert not (await buckets.take(KEY, 1, RULE)).allowed


async def test_a_clock_that_goes_back_puts_back_nothing_that_has_drained(
    buckets: Buckets, clock: HandClock
) -> None:
    first = await buckets.take(KEY, 10, RULE)
    clock.now += 10 * MICRO
    await buckets.take(KEY, 10, RULE)
    clock.now -= 11 * MICRO
    await undo(buckets, first, 10)
    assert not (await buckets.take(KEY, 1, RULE)).allowed


@pytest.mark.skipif(not url(REDIS), reason="needs a Redis")
async def test_a_bucket_that_an_earlier_version_wrote_is_read() -> None:
    clock = HandClock()
    with corner() as address, Redis.from_url(address) as looking:
        looking.set(KEY, f"{8 * MICRO} {clock.now}")
        async with open_script(address, SCRIPT, store="buckets") as script:
            buckets = RedisBuckets(script, TTL_US, clock=clock)
            taken = await buckets.take(KEY, 2, RULE)
            assert (taken.used, taken.remaining) == (10, 0)
            await undo(buckets, taken, 2)
            assert (await buckets.peek(KEY, RULE)).used == 8


@pytest.mark.parametrize("before", list(Strategy))
@pytest.mark.parametrize("after", list(Strategy))
async def test_a_change_of_strategy_neither_fills_a_bucket_up_nor_shuts_anybody_out(
    buckets: Buckets, clock: HandClock, before: Strategy, after: Strategy
) -> None:
    # At a window's end, where a level that counted from its start would have drained.
    clock.now += -clock.now % RULE.window_us + 58 * MICRO
    was, becomes = replace(RULE, strategy=before), replace(RULE, strategy=after)
    await buckets.take(KEY, 10, was)
    clock.now += MICRO
    refused = await buckets.take(KEY, 10, becomes)
    assert not refused.allowed
    # Never longer than a full bucket of the new rule lasts.
    assert 0 < refused.wait_us <= {after: 10 * MICRO, Strategy.FIXED_WINDOW: MICRO}[after]
    clock.now += refused.wait_us
    assert (await buckets.take(KEY, 10, becomes)).allowed


async def test_a_strategy_that_changes_all_the_time_admits_as_much_as_one_of_them(
    buckets: Buckets, clock: HandClock
) -> None:
    rules = [replace(RULE, strategy=strategy) for strategy in Strategy]
    clock.now += -clock.now % RULE.window_us
    begun, admitted = clock.now, 0
    for number in range(58):
        while (await buckets.take(KEY, 1, rules[number % len(rules)])).allowed:
            admitted += 1
        clock.now += MICRO
    assert clock.now - begun < RULE.window_us
    assert admitted <= 10 + 58


async def test_time_is_now(as_wired: Buckets) -> None:
    before = SystemClock().now_us()
    decision = await as_wired.take(KEY, 1, RULE)
    assert before <= decision.at_us <= SystemClock().now_us()


async def test_memory_is_bounded_and_gives_up_what_is_idle(clock: HandClock) -> None:
    buckets = MemoryBuckets(clock, TTL_US, most=100)
    for number in range(1000):
        await buckets.take(f"k{number}", 1, RULE)
    assert len(buckets._levels) == 100
    clock.now += 61 * MICRO
    await buckets.take("fresh", 1, RULE)
    assert list(buckets._levels) == ["fresh"]
