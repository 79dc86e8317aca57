"""Every store of rate buckets against an exact model: the same answers, and never too much."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mesh.storage.redis_script import open_script
from svc_token.domain.bucket import MICRO, BucketRule, Decision, Strategy, Taken
from svc_token.ports import Buckets
from svc_token.stores.buckets_memory import MemoryBuckets
from svc_token.stores.buckets_redis import SCRIPT, RedisBuckets
from tests.parts.redis import corner
from tests.parts.urls import REDIS, url
from tests.svc_token.conftest import NOW_US, HandClock
from tests.svc_token.stores.admitted import too_much
from tests.svc_token.stores.exact_bucket import GRAIN, LATEST, ExactBucket, Place, Seen

TTL_US = 3600 * MICRO
# The bounds of the settings times those of a tier's multipliers.
MOST_TOKENS, MOST_RATE = 10**15, 10**21
# Small enough that buckets fill and drain, and the ends of the scale.
CAPACITIES = st.integers(1, 60) | st.integers(1, MOST_TOKENS) | st.just(MOST_TOKENS)
RATES = st.integers(1, 20 * MICRO) | st.integers(1, 3) | st.integers(1, MOST_RATE)
WINDOWS = (st.integers(1, 90) | st.just(31_536_000)).map(lambda seconds: seconds * MICRO)
RULES = st.builds(
    BucketRule,
    strategy=st.sampled_from(list(Strategy)),
    capacity=CAPACITIES,
    rate=RATES,
    window_us=WINDOWS,
)


@dataclass
class Stores:
    """All under one clock."""

    clock: HandClock
    shared: list[Buckets]
    runner: asyncio.Runner


@pytest.fixture
def stores() -> Iterator[Stores]:
    clock, shared = HandClock(), list[Buckets]()
    with asyncio.Runner() as runner, ExitStack() as stack:
        if url(REDIS):
            address = stack.enter_context(corner())
            opened = open_script(address, SCRIPT, store="buckets")
            script = runner.run(opened.__aenter__())
            stack.callback(lambda: runner.run(opened.__aexit__(None, None, None)))
            shared.append(RedisBuckets(script, TTL_US, clock=clock))
        yield Stores(clock, shared, runner)


@dataclass
class Admitted:
    """An admitted call and what it keeps; `refunded` when it was undone, or a part of it.

    `counts_us` is the latest moment that its bucket had seen: a clock that goes back
    is no time that passes.
    """

    counts_us: int
    cost: int
    taken: Taken
    refunded: bool = False


def placed(taken: Taken) -> Place:
    return Place(taken.at_us * GRAIN, taken.since_us * GRAIN, taken.behind * GRAIN)


class Modelled(RuleBasedStateMachine):
    """Takes, refunds, peeks, time and rules in any order."""

    def __init__(self, stores: Stores, number: Iterator[int]) -> None:
        super().__init__()
        self.clock, self.runner = stores.clock, stores.runner
        self.stores = [MemoryBuckets(self.clock, TTL_US), *stores.shared]
        self.key = f"bucket:{{{next(number)}}}:openai"
        self.exact = ExactBucket()
        self.taken: list[Admitted] = []
        self.latest = 0

    @initialize(first=RULES, now=st.just(NOW_US) | st.integers(1, 2**50))
    def begin(self, first: BucketRule, now: int) -> None:
        self.clock.now, self.rule = now, first

    @rule(by=st.integers(0, 10 * MICRO) | st.integers(0, 3) | st.integers(0, 10**12))
    def time_passes(self, by: int) -> None:
        self.clock.now = min(LATEST, self.clock.now + by)

    @rule(by=st.integers(0, 3) | st.integers(0, 100 * MICRO))
    def the_clock_goes_back(self, by: int) -> None:
        self.clock.now = max(0, self.clock.now - by)

    @rule(percent=st.integers(1, 110), by=st.integers(-2, 2))
    def a_share_of_it_drains(self, percent: int, by: int) -> None:
        seconds = self.exact.level / (self.rule.rate * GRAIN) * percent / 100
        self.clock.now = min(LATEST, self.clock.now + max(0, ceil(seconds / GRAIN) + by))

    @rule(other=RULES)
    def the_rule_changes(self, other: BucketRule) -> None:
        self._change(other)

    @rule(other=st.sampled_from(list(Strategy)))
    def the_strategy_changes(self, other: Strategy) -> None:
        self._change(replace(self.rule, strategy=other))

    def _change(self, other: BucketRule) -> None:
        self.rule, self.taken = other, []
        self.exact.change()

    @rule(data=st.data(), times=st.integers(1, 3))
    def takes(self, data: st.DataObject, times: int) -> None:
        left = self.rule.capacity - int(self.exact.level)
        near = st.integers(left - 1, left + 1).map(lambda cost: max(1, cost))
        few = st.integers(1, min(20, self.rule.capacity))
        cost = min(data.draw(near | few), self.rule.capacity)
        for _ in range(times):
            self.latest = max(self.latest, self.clock.now)
            seen = self.exact.take(cost, self.now, self.rule)
            decision = self._all("take", self.key, cost, self.rule)
            self._compare(decision, seen)
            if decision.allowed:
                assert decision.taken is not None
                assert placed(decision.taken) == seen.taken
                self.taken.append(Admitted(self.latest, cost, decision.taken))

    @precondition(lambda self: any(not one.refunded for one in self.taken))
    @rule(data=st.data(), percent=st.integers(1, 100) | st.just(100))
    def a_take_is_refunded(self, data: st.DataObject, percent: int) -> None:
        one = data.draw(st.sampled_from([one for one in self.taken if not one.refunded]))
        back = one.cost * percent // 100
        place = one.taken if back == one.cost else Taken(one.taken.at_us)
        if back:
            self._refund(back, place)
            one.cost, one.refunded = one.cost - back, True

    @precondition(lambda self: bool(self.taken))
    @rule(cost=st.integers(1, MOST_TOKENS), data=st.data())
    def anything_is_refunded(self, cost: int, data: st.DataObject) -> None:
        places = [Taken(self.clock.now), Taken(0), *(one.taken for one in self.taken)]
        self._refund(cost, data.draw(st.sampled_from(places)))
        # It was no take's: what the rule allows counts from here on.
        self.taken = []

    def _refund(self, cost: int, taken: Taken) -> None:
        self.latest = max(self.latest, self.clock.now)
        self.exact.refund(cost, placed(taken), self.now, self.rule)
        self._all("refund", self.key, cost, self.rule, taken=taken)

    @rule()
    def peeks(self) -> None:
        seen = self.exact.peek(self.now, self.rule)
        self._compare(self._all("peek", self.key, self.rule), seen)

    @property
    def now(self) -> Fraction:
        return self.clock.now * GRAIN

    def _all(self, verb: str, *what: Any, **more: Any) -> Any:
        """What every store answers."""

        async def ask() -> list[Any]:
            return [await getattr(store, verb)(*what, **more) for store in self.stores]

        answers = self.runner.run(ask())
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    def _compare(self, decision: Decision, seen: Seen) -> None:
        used = min(self.rule.capacity, ceil(seen.level))
        assert (decision.allowed, decision.used) == (seen.allowed, used)
        assert decision.remaining == self.rule.capacity - used
        assert decision.wait_us * GRAIN == seen.wait
        assert decision.at_us == self.clock.now

    @invariant()
    def no_more_is_admitted_than_the_rule_allows(self) -> None:
        admitted = [(one.counts_us, one.cost) for one in self.taken if one.cost]
        assert too_much(admitted, self.rule) <= 0

    @invariant()
    def rounding_costs_less_than_a_micro_token_a_call(self) -> None:
        assert 0 <= self.exact.level - self.exact.ideal <= self.exact.writes * GRAIN


def test_every_store_answers_as_the_exact_model(stores: Stores) -> None:
    number = iter(range(10**9))

    class Here(Modelled):
        def __init__(self) -> None:
            super().__init__(stores, number)

    run_state_machine_as_test(
        Here, settings=settings(max_examples=50, stateful_step_count=30, deadline=None)
    )
