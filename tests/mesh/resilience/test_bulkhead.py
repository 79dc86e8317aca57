import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.resilience.bulkhead import Bulkhead, BulkheadFullError

pytestmark = pytest.mark.anyio
LONG = 60.0


class Calls:
    """Calls that stay inside until told to leave."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self.inside: list[int] = []
        self.doors: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def call(self, number: int, within: float = LONG) -> asyncio.Task[None]:
        self.doors[number] = asyncio.Event()
        self.tasks[number] = asyncio.create_task(self._stay(number, within))
        await settle()
        return self.tasks[number]

    async def _stay(self, number: int, within: float) -> None:
        async with self.bulkhead.enter(within):
            self.inside.append(number)
            try:
                await self.doors[number].wait()
            finally:
                self.inside.remove(number)

    async def leave(self, number: int) -> None:
        self.doors[number].set()
        await settle()

    async def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_waiters_get_in_in_their_order() -> None:
    calls = Calls(Bulkhead(limit=1, queue=2))
    for number in (1, 2, 3):
        await calls.call(number)
    assert calls.inside == [1]
    await calls.leave(1)
    assert calls.inside == [2]
    await calls.leave(2)
    assert calls.inside == [3]
    await calls.end()


async def test_who_gives_a_slot_back_does_not_take_it_before_those_who_wait() -> None:
    bulkhead, order = Bulkhead(limit=2, queue=5), list[str]()

    async def work(name: str) -> None:
        for _ in range(3):
            async with bulkhead.enter(LONG):
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(*map(work, "abcde"))
    assert "".join(order) == "abcde" * 3


async def test_one_more_than_the_queue_holds_is_refused_at_once() -> None:
    calls = Calls(Bulkhead(limit=1, queue=1))
    await calls.call(1)
    await calls.call(2)
    refused = await calls.call(3)
    assert refused.done()
    with pytest.raises(BulkheadFullError, match="too many"):
        await refused
    await calls.end()


async def test_a_waiter_whose_time_is_up_is_refused_and_leaves_no_trace() -> None:
    calls = Calls(Bulkhead(limit=1, queue=1))
    await calls.call(1)
    with pytest.raises(BulkheadFullError, match="in time"):
        await (await calls.call(2, within=0.001))
    await calls.call(3)
    await calls.leave(1)
    assert calls.inside == [3]
    await calls.end()


async def test_a_failed_call_gives_its_slot_back() -> None:
    bulkhead = Bulkhead(limit=1, queue=0)
    with pytest.raises(ZeroDivisionError):
        async with bulkhead.enter(LONG):
            _ = 1 // 0
    async with bulkhead.enter(LONG):
        pass


class Model:
    """What a bulkhead is: a number inside, a line outside."""

    def __init__(self, limit: int, queue: int) -> None:
        self.limit, self.queue = limit, queue
        self.inside: list[int] = []
        self.line: list[int] = []

    def call(self, number: int) -> None:
        if len(self.inside) < self.limit:
            self.inside.append(number)
        elif len(self.line) < self.queue:
            self.line.append(number)

    def gone(self, number: int) -> None:
        if number in self.line:
            self.line.remove(number)
        if number in self.inside:
            self.inside.remove(number)
            if self.line:
                self.inside.append(self.line.pop(0))


steps = st.lists(
    st.tuples(st.sampled_from(["call", "leave", "cancel"]), st.integers(0, 30)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(0, 3), steps)
def test_any_coming_and_going_equals_the_model(
    limit: int, queue: int, script: list[tuple[str, int]]
) -> None:
    asyncio.run(_follow(limit, queue, script))


async def _follow(limit: int, queue: int, script: list[tuple[str, int]]) -> None:
    calls, model = Calls(Bulkhead(limit=limit, queue=queue)), Model(limit, queue)
    for step, (verb, drawn) in enumerate(script):
        if verb == "call":
            await calls.call(step)
            model.call(step)
        elif verb == "leave" and model.inside:
            number = model.inside[drawn % len(model.inside)]
            await calls.leave(number)
            model.gone(number)
        elif verb == "cancel" and (waiting := model.inside + model.line):
            number = waiting[drawn % len(waiting)]
            calls.tasks[number].cancel()
            await settle()
            model.gone(number)
        assert sorted(calls.inside) == sorted(model.inside)
    await calls.end()
