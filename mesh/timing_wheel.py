"""Many deadlines on one timer of the event loop.

Nearly all calls end long before their deadlines, so what counts is how cheap it is to wait
for one in vain: here a place in a dict, where a timer for each costs half of what a task does.
Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987.
"""

import asyncio
import math
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Slot = dict[Any, Callable[[Any], None]]


class TimingWheel:
    """One loop's deadlines, in slots of a fraction of a second.

    What is in a slot is called with its key when the slot's time has come: a millisecond after
    the deadline at the latest, unless the loop itself is late, and at most 1 / `per_second`
    before it.
    """

    __slots__ = ("_loop", "_order", "_per_second", "_slots", "_timer")

    def __init__(self, per_second: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._per_second = per_second
        self._slots: dict[int, Slot] = {}
        # Their numbers, the next one first.
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def slot(self, deadline: float) -> Slot:
        """Where to wait for `deadline`, on the loop's clock; who ends before it takes itself out.

        Good until the loop's next turn.
        """
        number = int(deadline * self._per_second)
        found = self._slots.get(number)
        return self._open(number) if found is None else found

    def _open(self, number: int) -> Slot:
        slot = self._slots[number] = {}
        heappush(self._order, number)
        if self._order[0] == number:
            self._wait()
        return slot

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._next(), self._turn) if self._order else None

    def _next(self) -> float:
        # uvloop's clock has whole milliseconds, and it rounds to the nearest: woken before its
        # time the wheel would turn, and turn, until the next one.
        return math.ceil(self._order[0] * 1_000 / self._per_second) / 1_000

    def _turn(self) -> None:
        now = int(self._loop.time() * self._per_second)
        while self._order and self._order[0] <= now:
            for key, act in self._slots.pop(heappop(self._order)).items():
                act(key)
        self._wait()


class Timers:
    """As much of an event loop as one of uvicorn's connections uses; timers to the second."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.create_task, self._time = loop.create_task, loop.time
        self._wheel = TimingWheel(per_second=1)

    def call_later(self, seconds: float, act: Callable[[], None]) -> "_Timer":
        """As the loop's own, but up to a second earlier."""
        return _Timer(self._wheel.slot(self._time() + seconds), act)


class _Timer:
    __slots__ = ("_act", "_due")

    def __init__(self, due: Slot, act: Callable[[], None]) -> None:
        self._due, self._act = due, act
        due[self] = _Timer._passed

    def _passed(self) -> None:
        self._act()

    def cancel(self) -> None:
        self._due.pop(self, None)
