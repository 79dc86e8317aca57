from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_CIRCUIT_OPEN
from mesh.errors import AppError
from mesh.resilience.breaker import Breaker, BreakerPolicy, Permit, State

SMALL = BreakerPolicy(window=4, min_calls=2, failure_percent=50, open_seconds=10, half_open=2)


class Bench:
    """A breaker on a clock and with a policy that the test moves."""

    def __init__(self, policy: BreakerPolicy = SMALL) -> None:
        self.now = 100.0
        self.policy = policy
        self.changes: list[State] = []
        self.breaker = Breaker(
            "test", lambda: self.policy, lambda: self.now, lambda _, to: self.changes.append(to)
        )

    def state(self) -> State:
        return self.breaker.state

    def run(self, *results: bool) -> None:
        for success in results:
            self.breaker.before().record(success=success)

    def opened(self) -> "Bench":
        self.run(False, False)
        assert self.state() is State.OPEN
        return self


def test_opens_at_the_failure_share_and_not_before_enough_calls() -> None:
    bench = Bench()
    bench.run(True)
    assert bench.state() is State.CLOSED
    bench.run(False)
    assert bench.state() is State.OPEN


def test_a_call_that_succeeds_never_opens_it() -> None:
    """A target that was away while its callers started must not be shut out once it is there."""
    bench = Bench()
    bench.run(False, True, True)
    assert bench.state() is State.CLOSED
    bench.run(False)
    assert bench.state() is State.OPEN


def test_old_results_leave_the_window() -> None:
    bench = Bench(BreakerPolicy(window=3, min_calls=3, failure_percent=60))
    bench.run(False, True, True, True, False, True)
    assert bench.state() is State.CLOSED
    bench.run(False)
    assert bench.state() is State.OPEN


def test_open_refuses_and_says_for_how_long() -> None:
    bench = Bench().opened()
    bench.now += 4
    with pytest.raises(AppError) as refused:
        bench.breaker.before()
    assert refused.value.reason == REASON_CIRCUIT_OPEN
    assert refused.value.retry_after == pytest.approx(6)


def test_half_open_lets_the_bounded_number_through_and_closes_when_all_succeed() -> None:
    bench = Bench().opened()
    bench.now += 10
    first, second = bench.breaker.allow(), bench.breaker.allow()
    assert first
    assert second
    assert bench.breaker.allow() is None
    first.record(success=True)
    assert bench.state() is State.HALF_OPEN
    assert bench.breaker.allow() is None
    second.record(success=True)
    assert bench.changes == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_one_failed_probe_opens_again_for_the_whole_time() -> None:
    bench = Bench().opened()
    bench.now += 10
    bench.run(False)
    assert bench.state() is State.OPEN
    assert bench.breaker.retry_after == pytest.approx(10)


def test_a_cancelled_probe_makes_room_for_another() -> None:
    bench = Bench(BreakerPolicy(window=4, min_calls=2, half_open=1)).opened()
    bench.now += 10
    with bench.breaker.before():
        assert bench.breaker.allow() is None
    assert bench.state() is State.HALF_OPEN
    bench.run(True)
    assert bench.state() is State.CLOSED


def test_a_result_from_before_a_change_says_nothing() -> None:
    bench = Bench()
    late_failure, late_success = bench.breaker.before(), bench.breaker.before()
    bench.opened()
    bench.now += 10
    probe = bench.breaker.before()
    late_failure.record(success=False)
    late_success.record(success=True)
    assert bench.state() is State.HALF_OPEN
    probe.record(success=True)
    assert bench.state() is State.HALF_OPEN


def test_only_the_first_word_of_a_permit_counts() -> None:
    bench = Bench()
    permit = bench.breaker.before()
    for _ in range(5):
        permit.record(success=False)
    permit.release()
    assert bench.state() is State.CLOSED


def test_a_policy_changes_under_way() -> None:
    bench = Bench().opened()
    bench.policy = BreakerPolicy(open_seconds=1, half_open=5)
    bench.now += 1
    bench.run(True)
    assert bench.state() is State.HALF_OPEN
    bench.policy = BreakerPolicy(half_open=1)
    assert bench.breaker.allow()
    assert bench.state() is State.CLOSED


def test_min_calls_beyond_the_window_do_not_switch_it_off() -> None:
    bench = Bench(BreakerPolicy(window=2, min_calls=50, failure_percent=100))
    bench.run(False, False)
    assert bench.state() is State.OPEN


def test_the_gauge_shows_the_state() -> None:
    bench = Bench()
    assert REGISTRY.get_sample_value("breaker_state", {"name": "test"}) == 0
    bench.opened()
    assert REGISTRY.get_sample_value("breaker_state", {"name": "test"}) == 2


@settings(deadline=None)
@given(st.lists(st.booleans()), st.integers(1, 8), st.integers(1, 8), st.integers(1, 100))
def test_closed_equals_counting_the_last_calls(
    results: list[bool], window: int, min_calls: int, percent: int
) -> None:
    bench = Bench(BreakerPolicy(window=window, min_calls=min_calls, failure_percent=percent))
    last: deque[bool] = deque(maxlen=window)
    for success in results:
        bench.run(success)
        last.append(success)
        share = 100 * last.count(False) / len(last)
        trips = not success and len(last) >= min(min_calls, window) and share >= percent
        assert (bench.state() is State.OPEN) == trips
        if trips:
            return


class BreakerMachine(RuleBasedStateMachine):
    """Any interleaving of calls, results, cancellations and time."""

    @initialize(half_open=st.integers(1, 3))
    def start(self, half_open: int) -> None:
        self.bench = Bench(BreakerPolicy(window=4, min_calls=2, half_open=half_open))
        self.calls: list[tuple[Permit, int]] = []

    def epoch(self) -> int:
        return len(self.bench.changes)

    @rule()
    def call(self) -> None:
        permit = self.bench.breaker.allow()
        if permit:
            assert self.bench.state() is not State.OPEN
            self.calls.append((permit, self.epoch()))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), result=st.sampled_from([True, False, None]))
    def finish(self, data: st.DataObject, result: bool | None) -> None:  # noqa: FBT001 drawn
        permit, epoch = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        state, current = self.bench.state(), self.epoch()
        if result is None:
            permit.release()
        else:
            permit.record(success=result)
        if epoch != current or result is None:
            assert self.bench.state() is state
        elif state is State.HALF_OPEN and not result:
            assert self.bench.state() is State.OPEN

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds: float) -> None:
        self.bench.now += seconds

    @invariant()
    def half_open_is_bounded_and_never_stuck(self) -> None:
        if self.bench.state() is not State.HALF_OPEN:
            return
        probes = [permit for permit, epoch in self.calls if epoch == self.epoch()]
        assert len(probes) <= self.bench.policy.half_open
        if not probes:
            probe = self.bench.breaker.allow()
            assert probe
            probe.release()


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
