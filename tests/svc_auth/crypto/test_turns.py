import asyncio

import pytest

from mesh.errors import AppError
from svc_auth.crypto.turns import Turns

pytestmark = pytest.mark.anyio


class Bench:
    """Workers that note when they have a turn, and end it when they are told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.go = asyncio.Semaphore(0)

    async def work(self, asker: str, name: str = "") -> None:
        async with self.turns.turn(asker):
            self.begun.append(name or asker)
            await self.go.acquire()

    def start(self, *askers: str) -> list["asyncio.Task[None]"]:
        return [asyncio.ensure_future(self.work(asker)) for asker in askers]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_so_many_at_once_and_the_next_when_one_ends() -> None:
    bench = Bench(Turns(2))
    tasks = bench.start("a", "b", "c")
    await settle()
    assert bench.begun == ["a", "b"]
    bench.go.release()
    await settle()
    assert bench.begun == ["a", "b", "c"]
    for _ in range(2):
        bench.go.release()
    await asyncio.gather(*tasks)
    assert bench.turns._free == 2


async def test_who_asks_a_lot_does_not_keep_out_who_asks_once() -> None:
    bench = Bench(Turns(1))
    tasks = bench.start("greedy", *["greedy"] * 5, "modest", "other")
    for _ in tasks:
        await settle()
        bench.go.release()
    await asyncio.gather(*tasks)
    assert bench.begun[:4] == ["greedy", "greedy", "modest", "other"]
    assert bench.begun[4:] == ["greedy"] * 4


async def test_who_waits_too_often_is_refused_and_others_are_not() -> None:
    bench = Bench(Turns(1, waiting=3, each=2))
    tasks = bench.start("a", "a", "a")
    await settle()
    with pytest.raises(AppError) as refused:
        await bench.work("a")
    assert (refused.value.outcome.name, refused.value.retry_after) == ("OVERLOADED", 1)
    tasks += bench.start("b")
    await settle()
    with pytest.raises(AppError):
        await bench.work("c")
    for _ in tasks:
        bench.go.release()
    await asyncio.gather(*tasks)
    assert sorted(bench.begun) == ["a", "a", "a", "b"]


async def test_who_leaves_the_queue_or_just_got_a_turn_leaves_it_to_the_next() -> None:
    bench = Bench(Turns(1))
    first, leaving, given, last = bench.start("a", "b", "c", "d")
    await settle()
    leaving.cancel()
    await settle()
    bench.go.release()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    given.cancel()
    bench.go.release()
    bench.go.release()
    await asyncio.gather(first, leaving, given, last, return_exceptions=True)
    assert bench.begun[0] == "a"
    assert bench.begun[-1] == "d"
    assert "b" not in bench.begun
    assert (bench.turns._free, bench.turns._waiting) == (1, 0)
    assert not bench.turns._queues
