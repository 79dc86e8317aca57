"""Counting against windows, with a real counter and a clock set by hand."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from svc_gateway.domain.limit import Limit
from svc_gateway.stores.windows_memory import MemoryWindows
from svc_gateway.usecases.limit_request import LimitRequest
from tests.svc_gateway.conftest import HandClock

WINDOW_US = 1_000_000


def limiter(clock: HandClock, capacity: int) -> LimitRequest:
    rule = Limit(name="default", capacity=capacity, window_us=WINDOW_US)
    free = {"/free"}
    return LimitRequest(
        windows=MemoryWindows(),
        limit_of=lambda path: None if path in free else rule,
        fail_open=lambda: False,
        clock=clock,
    )


@given(
    capacity=st.integers(1, 5),
    requests=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400_000)), max_size=80),
)
def test_no_caller_is_admitted_more_often_than_the_capacity_in_any_window(
    capacity: int, requests: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        clock = HandClock(0)
        limit = limiter(clock, capacity)
        asked: Counter[tuple[str, int]] = Counter()
        for caller, wait_us in requests:
            clock.now += wait_us
            verdict = await limit("/", caller)
            assert verdict is not None
            at = (caller, clock.now // WINDOW_US)
            asked[at] += 1
            # Exactly the first ones of each window are let in.
            assert verdict.allowed == (asked[at] <= capacity)
            assert verdict.remaining == max(0, capacity - asked[at])
            assert clock.now < verdict.end_us <= clock.now + WINDOW_US

    asyncio.run(play())


def test_callers_at_once_share_one_window_exactly() -> None:
    async def play() -> None:
        limit = limiter(HandClock(), 10)
        verdicts = await asyncio.gather(*(limit("/", "one") for _ in range(50)))
        assert sum(verdict is not None and verdict.allowed for verdict in verdicts) == 10

    asyncio.run(play())


def test_where_there_is_no_limit_nothing_is_counted() -> None:
    async def play() -> None:
        limit = limiter(HandClock(), 1)
        assert [await limit("/free", "one") for _ in range(3)] == [None] * 3
        verdict = await limit("/", "one")
        assert verdict is not None
        assert verdict.count == 1

    asyncio.run(play())
