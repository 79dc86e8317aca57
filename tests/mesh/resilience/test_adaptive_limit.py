"""A loop that is late by the work that is let in, on made-up time."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.resilience.adaptive_limit import FLOOR, REST, TARGET_SECONDS, AdaptiveLimit
from mesh.telemetry.loop_lag import INTERVAL_SECONDS

MAXIMUM = 4096
TICKS_A_SECOND = round(1 / INTERVAL_SECONDS)


@dataclass
class Process:
    """Each of the callers that are let in costs `work` a turn, and is back in the next one."""

    work: float
    maximum: int = MAXIMUM
    waiting: int = 0
    served: int = 0
    refused: int = 0
    limit: AdaptiveLimit = field(init=False)

    def __post_init__(self) -> None:
        self.limit = AdaptiveLimit(lambda: self.maximum)

    def turn(self, callers: int, *, pause: float = 0.0) -> float:
        """All ask at once; how late a timer is that was due in the middle of it."""
        limit, before = self.limit, self.limit.refused
        for _ in range(callers):
            if limit.in_flight >= limit.limit:
                limit.refused += 1
                continue
            limit.in_flight += 1
            limit.most = max(limit.most, limit.in_flight)
        busy = limit.in_flight - self.waiting
        self.refused += limit.refused - before
        self.served += busy
        late = busy * self.work / 2 + pause
        limit.tick(late)
        limit.in_flight -= busy
        return late

    def turns(self, callers: int, seconds: float = 1.0) -> Iterator[float]:
        for _ in range(int(seconds * TICKS_A_SECOND)):
            yield self.turn(callers)

    def wait(self, number: int) -> None:
        """So many more are in flight without work."""
        self.waiting += number
        self.limit.in_flight += number


@pytest.mark.parametrize("work", [0.00005, 0.0001, 0.0003])
def test_too_many_callers_make_the_loop_late_by_about_the_target(work: float) -> None:
    process = Process(work=work)
    late = list(process.turns(5_000, seconds=10))[TICKS_A_SECOND:]
    assert 0.5 * TARGET_SECONDS < sum(late) / len(late) < 1.5 * TARGET_SECONDS
    assert max(late) < 3 * TARGET_SECONDS


def test_the_first_turn_of_a_burst_is_bounded_by_what_was_fine_lately() -> None:
    process = Process(work=0.0003)
    list(process.turns(64))
    process.turn(10_000)
    assert process.refused == 10_000 - REST


def test_callers_that_are_borne_are_never_refused() -> None:
    process = Process(work=0.0003)
    list(process.turns(80, seconds=20))
    assert process.refused == 0


def test_more_and_more_callers_that_cost_nothing_are_all_let_in() -> None:
    process = Process(work=0.000001)
    for callers in range(16, 2_000, 16):
        process.turn(callers)
    assert process.refused == 0


def test_a_rush_of_calls_that_only_wait_is_let_in_within_a_second() -> None:
    process = Process(work=0.0)
    for _ in range(TICKS_A_SECOND):
        asked = min(2_000 - process.waiting, process.limit.limit - process.limit.in_flight)
        process.limit.refused += 2_000 - process.waiting - asked
        process.wait(asked)
        process.limit.most = process.limit.in_flight
        process.limit.tick(0.0)
    assert process.waiting == 2_000


def test_calls_that_wait_are_not_counted_out_for_the_work_of_others() -> None:
    process = Process(work=0.0003)
    for _ in range(6):
        process.wait(500)
        process.limit.most = process.limit.in_flight
        for _ in range(5):
            process.limit.tick(0.0)
    list(process.turns(2_000, seconds=2))
    before = process.served
    late = list(process.turns(2_000, seconds=5))
    # Beside so many its steps are coarse, but work goes on, and the queue stays short.
    assert process.limit.limit > process.waiting / 2
    assert process.served - before > 5 * TICKS_A_SECOND * 30
    assert max(late) < 5 * TARGET_SECONDS


def test_calls_that_only_wait_do_not_shrink_it() -> None:
    process = Process(work=0.0)
    process.wait(100)
    limits = []
    for _ in range(20):
        process.turn(0)
        limits.append(process.limit.limit)
    assert min(limits) == REST


def test_one_pause_is_no_congestion() -> None:
    process = Process(work=0.0001)
    for turn in range(100):
        process.turn(100, pause=0.2 if turn % 3 == 0 else 0.0)
    assert process.refused == 0


def test_a_pause_that_stands_shrinks_it_to_the_floor_and_no_further() -> None:
    process = Process(work=0.0001)
    for _ in range(100):
        process.turn(1_000, pause=0.1)
    assert process.limit.limit == FLOOR


def test_an_idle_process_is_back_at_rest_within_a_second() -> None:
    process = Process(work=0.0001)
    for _ in range(100):
        process.turn(1_000, pause=0.1)
    list(process.turns(0, seconds=1))
    assert process.limit.limit == REST


def test_what_is_not_used_any_more_is_forgotten_within_two_seconds() -> None:
    process = Process(work=0.0)
    list(process.turns(100_000, seconds=5))
    assert process.limit.limit == MAXIMUM
    list(process.turns(4, seconds=2))
    assert process.limit.limit == REST


def test_the_maximum_bounds_it_and_may_change() -> None:
    process = Process(work=0.0, maximum=200)
    list(process.turns(10_000, seconds=5))
    assert process.limit.limit == 200
    process.maximum = 10
    process.turn(10_000)
    assert process.limit.limit == 10
    assert AdaptiveLimit(lambda: 5).limit == 5


steps = st.lists(st.tuples(st.integers(0, 3_000), st.floats(0, 10)), max_size=60)


@given(st.integers(1, 5_000), st.floats(0, 0.01), steps)
def test_it_stays_between_the_floor_and_the_maximum_and_comes_back(
    maximum: int, work: float, script: list[tuple[int, float]]
) -> None:
    process = Process(work=work, maximum=maximum)
    for callers, pause in script:
        process.turn(callers, pause=pause)
        assert min(FLOOR, maximum) <= process.limit.limit <= maximum
        assert process.limit.in_flight == 0
    list(process.turns(0, seconds=2))
    assert process.limit.limit == min(REST, maximum)
