"""Deadlines on one timer, on an event loop whose clock is the test's."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.timing_wheel import TimingWheel

PER_SECOND = 256


class Timer:
    def __init__(self, when: float, act: Callable[[], None]) -> None:
        self.when, self.act, self.cancelled = when, act, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """As much of an event loop as a wheel uses; time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.timers: list[Timer] = []
        self.turns = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, act: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when, act))
        return self.timers[-1]

    @property
    def next(self) -> Timer | None:
        open_ = [one for one in self.timers if not one.cancelled]
        assert len(open_) <= 1
        return open_[0] if open_ else None

    def run(self, until: float) -> None:
        while (timer := self.next) is not None and timer.when <= until:
            self.timers.remove(timer)
            self.now = max(self.now, timer.when)
            self.turns += 1
            assert self.turns < 10_000
            timer.act()
        self.now = max(self.now, until)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


def wheel_on(loop: Loop) -> TimingWheel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "get_running_loop", lambda: loop)
        return TimingWheel(PER_SECOND)


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=40))
def test_each_is_called_in_time_and_once_unless_it_ended_before(
    given: list[tuple[float, bool]],
) -> None:
    loop = Loop()
    wheel, called = wheel_on(loop), dict[int, list[float]]()
    deadlines = [loop.now + wait for wait, _ in given]
    for number, (_, ends) in enumerate(given):
        slot = wheel.slot(deadlines[number])
        slot[number] = lambda key: called.setdefault(key, []).append(loop.now)
        if ends:
            slot.pop(number)
    loop.run(loop.now + 31)
    assert called.keys() == {number for number, (_, ends) in enumerate(given) if not ends}
    for number, times in called.items():
        (at,) = times
        latest = max(deadlines[number], 1_000.0) + 0.001
        assert deadlines[number] - 1 / PER_SECOND <= at <= latest
    assert loop.next is None


def test_an_earlier_one_moves_the_timer(loop: Loop) -> None:
    wheel, called = TimingWheel(PER_SECOND), list[str]()
    wheel.slot(1_002.0)["late"] = called.append
    wheel.slot(1_001.0)["early"] = called.append
    loop.run(1_001.0)
    assert called == ["early"]
    loop.run(1_002.0)
    assert called == ["early", "late"]


def test_one_that_is_past_is_called_in_the_next_turn(loop: Loop) -> None:
    wheel, called = TimingWheel(PER_SECOND), list[Any]()
    wheel.slot(999.0)["past"] = called.append
    assert called == []
    loop.run(loop.now)
    assert called == ["past"]


def test_a_loop_that_was_late_calls_all_that_it_missed(loop: Loop) -> None:
    wheel, called = TimingWheel(PER_SECOND), list[int]()
    for number in range(5):
        wheel.slot(1_000.5 + number / 10)[number] = called.append
    loop.now = 1_005.0
    loop.run(1_005.0)
    assert called == [0, 1, 2, 3, 4]


class Coarse(Loop):
    """As uvloop: its clock has whole milliseconds, and what is asked of it is rounded to them."""

    def call_at(self, when: float, act: Callable[[], None]) -> Timer:
        return super().call_at(round(when, 3), act)


def test_it_turns_once_for_each_slot_of_a_loop_with_whole_milliseconds() -> None:
    loop = Coarse()
    wheel, called = wheel_on(loop), list[int]()
    for number in range(256):
        wheel.slot(loop.now + number / PER_SECOND)[number] = called.append
    loop.run(loop.now + 2)
    assert called == list(range(256))
    assert loop.turns == 256
