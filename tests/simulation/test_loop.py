"""What a dead or stopped process does: nothing; and one that goes on misses nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.simulation.loop import Process, VirtualLoop


@contextmanager
def loop_of(seed: int) -> Iterator[VirtualLoop]:
    loop = VirtualLoop(Random(seed))  # noqa: S311 it is to be guessed
    try:
        yield loop
    finally:
        loop.bury()


def heard_of(loop: VirtualLoop, process: Process) -> list[str]:
    """What it does of a timer that is due at 1 s, and of what somebody sends it at 2 s."""
    heard: list[str] = []
    loop.after(1.0, process, heard.append, "timer")
    loop.after(2.0, loop.outside, lambda: loop.spawn(process, _hear(heard)))
    return heard


async def _hear(heard: list[str]) -> None:
    heard.append("message")


def run_until(loop: VirtualLoop, seconds: float) -> None:
    loop.run_until_complete(asyncio.sleep(seconds - loop.time()))


def test_a_running_process_hears_all_at_its_time() -> None:
    with loop_of(1) as loop:
        heard = heard_of(loop, Process("one"))
        run_until(loop, 1.5)
        assert heard == ["timer"]
        run_until(loop, 3.0)
        assert heard == ["timer", "message"]


def test_a_killed_one_hears_nothing() -> None:
    with loop_of(1) as loop:
        process = Process("one")
        heard = heard_of(loop, process)
        loop.kill(process)
        run_until(loop, 3.0)
        assert heard == []


def test_a_stopped_one_hears_nothing_and_then_all_in_either_order() -> None:
    orders = set()
    for seed in range(20):
        with loop_of(seed) as loop:
            process = Process("one")
            heard = heard_of(loop, process)
            loop.halt(process)
            run_until(loop, 3.0)
            assert heard == []
            loop.resume(process)
            run_until(loop, 4.0)
            orders.add(tuple(heard))
    assert orders == {("timer", "message"), ("message", "timer")}
