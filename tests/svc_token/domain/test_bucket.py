"""Rate buckets: admitted <= capacity + rate x time, whatever the order of calls."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_token.domain.bucket import (
    MICRO,
    BucketRule,
    Level,
    Strategy,
    Taken,
    drained_us,
    peek,
    refund,
    settle_to,
    take,
)

RULE = BucketRule(
    strategy=Strategy.LEAKY_BUCKET, capacity=1000, rate=10 * MICRO, window_us=60 * MICRO
)
STEADY = [Strategy.LEAKY_BUCKET, Strategy.TOKEN_BUCKET]


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_fresh_bucket_takes_its_whole_capacity_at_once_and_not_one_token_more(
    strategy: Strategy,
) -> None:
    rule = replace(RULE, strategy=strategy)
    level, first = take(Level(), 1000, 5 * MICRO, rule)
    assert (first.allowed, first.used, first.remaining) == (True, 1000, 0)
    _, second = take(level, 1, 5 * MICRO, rule)
    assert not second.allowed
    assert second.wait_us > 0


def test_a_cost_above_the_capacity_never_fits() -> None:
    with pytest.raises(ValueError, match="never fit"):
        take(Level(), 1001, 0, RULE)


def test_the_wait_is_exact_for_a_leaky_bucket() -> None:
    level, _ = take(Level(), 1000, MICRO, RULE)
    _, refused = take(level, 5, MICRO, RULE)
    assert refused.wait_us == MICRO // 2
    assert refused.wait_seconds == 1
    assert not take(level, 5, MICRO + refused.wait_us - 1, RULE)[1].allowed
    assert take(level, 5, MICRO + refused.wait_us, RULE)[1].allowed


def test_a_fixed_window_forgets_at_its_end_and_not_before() -> None:
    rule = replace(RULE, strategy=Strategy.FIXED_WINDOW)
    level, _ = take(Level(), 1000, 61 * MICRO, rule)
    _, refused = take(level, 1, 119 * MICRO, rule)
    assert (refused.allowed, refused.wait_us) == (False, MICRO)
    assert take(level, 1000, 120 * MICRO, rule)[1].allowed


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    level, _ = take(Level(), 1000, 100 * MICRO, RULE)
    assert not take(level, 1, 50 * MICRO, RULE)[1].allowed


def test_refund_makes_room_again() -> None:
    level, _ = take(Level(), 1000, MICRO, RULE)
    level = refund(level, 400, Taken(MICRO), MICRO, RULE)
    assert take(level, 400, MICRO, RULE)[1].allowed
    assert not take(level, 401, MICRO, RULE)[1].allowed


def test_what_a_window_that_has_ended_took_is_not_put_back_into_the_next() -> None:
    rule = replace(RULE, strategy=Strategy.FIXED_WINDOW)
    level, _ = take(Level(), 500, 119 * MICRO, rule)
    level, _ = take(level, 1000, 120 * MICRO, rule)
    level = refund(level, 500, Taken(119 * MICRO), 121 * MICRO, rule)
    assert not take(level, 1, 121 * MICRO, rule)[1].allowed
    level = refund(level, 500, Taken(120 * MICRO), 121 * MICRO, rule)
    assert take(level, 500, 121 * MICRO, rule)[1].allowed


def test_a_bucket_that_becomes_a_window_waits_for_that_window_s_end() -> None:
    level, _ = take(Level(), 1000, 90 * MICRO, RULE)
    _, refused = take(level, 1, 100 * MICRO, replace(RULE, strategy=Strategy.FIXED_WINDOW))
    assert refused.wait_us == 20 * MICRO


def test_peek_takes_nothing_and_tells_the_wait_for_one_token() -> None:
    level, _ = take(Level(), 1000, MICRO, RULE)
    seen = peek(level, MICRO, RULE)
    assert (seen.allowed, seen.used, seen.remaining, seen.wait_us) == (False, 1000, 0, MICRO // 10)


@given(rate=st.integers(1, 3), gaps=st.lists(st.integers(0, 400_000), min_size=1, max_size=60))
def test_a_slow_bucket_drains_however_often_it_is_asked(rate: int, gaps: list[int]) -> None:
    rule = replace(RULE, rate=rate)
    level, now = Level(1000 * MICRO, 0), 0
    for gap in gaps:
        now += gap
        level = settle_to(level, now, rule)
    drained = Fraction(rate * now, MICRO)
    # Asked ever so often: behind by less than what drains in a microsecond each time.
    assert 0 <= drained - (1000 * MICRO - level.used) < 1 + Fraction(len(gaps), MICRO) * rate


@given(
    strategy=st.sampled_from(STEADY),
    capacity=st.integers(1, 50),
    rate=st.integers(1, 20 * MICRO),
    calls=st.lists(
        st.tuples(st.integers(0, 3 * MICRO), st.integers(1, 50)), min_size=1, max_size=60
    ),
)
def test_admitted_is_at_most_capacity_plus_rate_times_time(
    strategy: Strategy, capacity: int, rate: int, calls: list[tuple[int, int]]
) -> None:
    rule = BucketRule(strategy=strategy, capacity=capacity, rate=rate, window_us=MICRO)
    level, now, admitted = Level(), 0, 0
    for gap, cost in calls:
        now += gap
        if cost > capacity:
            continue
        level, decision = take(level, cost, now, rule)
        admitted += cost if decision.allowed else 0
        assert 0 <= decision.remaining <= capacity
        assert decision.used + decision.remaining == capacity
    assert admitted * MICRO <= capacity * MICRO + Fraction(rate * now, MICRO)


@given(
    level=st.integers(0, 1000 * MICRO),
    cost=st.integers(1, 1000),
    strategy=st.sampled_from(list(Strategy)),
    now=st.integers(0, 10**12),
)
def test_after_the_wait_that_was_told_the_same_request_fits(
    level: int, cost: int, strategy: Strategy, now: int
) -> None:
    rule = replace(RULE, strategy=strategy)
    settled, decision = take(Level(level, now - now % rule.window_us), cost, now, rule)
    if not decision.allowed:
        assert take(settled, cost, now + decision.wait_us, rule)[1].allowed


@given(
    level=st.integers(0, 1000 * MICRO),
    rate=st.integers(1, 20 * MICRO),
    strategy=st.sampled_from(list(Strategy)),
    at=st.integers(0, 10**12),
)
def test_a_bucket_is_empty_when_it_is_said_to_be_and_not_before(
    level: int, rate: int, strategy: Strategy, at: int
) -> None:
    rule, kept = replace(RULE, rate=rate, strategy=strategy), Level(level, at)
    empty = drained_us(kept, rule)
    assert settle_to(kept, empty, rule).used == 0
    if level and empty > at:
        assert settle_to(kept, empty - 1, rule).used > 0
