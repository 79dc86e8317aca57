"""Nobody who comes later passes one who waits."""

import asyncio

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mesh.storage.turns import Turns

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


async def test_who_gives_a_place_back_does_not_take_it_before_those_who_wait() -> None:
    turns, order = Turns(2, PATIENCE), list[str]()

    async def work(name: str) -> None:
        for _ in range(3):
            async with turns:
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(*map(work, "abcde"))
    assert "".join(order) == "abcde" * 3


async def test_at_most_so_many_are_in_at_once() -> None:
    turns, inside, most = Turns(3, PATIENCE), 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with turns:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 3


async def test_who_waits_too_long_is_told_so_and_leaves_nothing() -> None:
    turns = Turns(1, 0.01)
    async with turns:
        with pytest.raises(PoolTimeout, match=r"no connection was free within 0\.01 s"):
            async with turns:
                pass
    async with turns:
        pass


async def test_who_is_cancelled_while_waiting_leaves_its_turn_to_the_next() -> None:
    turns, served = Turns(1, PATIENCE), asyncio.Event()

    async def work() -> None:
        async with turns:
            served.set()

    async with turns:
        first, _second = asyncio.ensure_future(work()), asyncio.ensure_future(work())
        await asyncio.sleep(0)
        first.cancel()
    async with asyncio.timeout(PATIENCE):
        await served.wait()
        await asyncio.wait({first})
    assert first.cancelled()
