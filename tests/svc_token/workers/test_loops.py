"""Loops go on, whatever happens in them, and say each failure once."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.resilience.backoff import Backoff
from svc_token.workers.loops import Loop

pytestmark = pytest.mark.anyio
NEVER = 3600.0
AWAY = AppError(REASON_UNAVAILABLE, "analytics is away")


@dataclass
class Script:
    """Work whose rounds are written down: an exception is raised, a truth is the answer."""

    rounds: list[Any]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    began: int = 0
    meanwhile: Callable[[], None] | None = None

    async def __call__(self) -> bool:
        self.began += 1
        outcome = self.rounds.pop(0)
        if not self.rounds:
            self.done.set()
        if self.meanwhile is not None:
            self.meanwhile()
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)


async def play(loop: Loop, script: Script) -> None:
    task = asyncio.ensure_future(loop.run())
    async with asyncio.timeout(30):
        await script.done.wait()
    # What came after the last round has its turn, too.
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def loop_over(script: Script, pauses: list[float] | None = None) -> Loop:
    said = [] if pauses is None else pauses

    def pause() -> float:
        said.append(NEVER)
        return NEVER

    return Loop(name="relay", work=script, pause=pause, backoff=Backoff(first=0.001, cap=0.001))


async def test_while_there_is_more_nothing_is_waited_for() -> None:
    script, pauses = Script([True, True, True, False]), list[float]()
    await play(loop_over(script, pauses), script)
    assert (script.began, pauses) == (4, [NEVER])


@pytest.mark.parametrize("error", [AWAY, ValueError("a bug")])
async def test_a_failure_is_said_once_each_time_and_the_loop_goes_on(error: Exception) -> None:
    script = Script([error, error, False])
    with capture_logs() as logs:
        await play(loop_over(script), script)
    assert script.began == 3
    assert [entry["worker"] for entry in logs] == ["relay", "relay"]
    expected = "warning" if error is AWAY else "error"
    assert {entry["log_level"] for entry in logs} == {expected}


async def test_failures_are_tried_again_later_and_later_until_one_succeeds() -> None:
    waits: list[int] = []

    class Counting(Backoff):
        def delay(self, attempt: int) -> float:
            waits.append(attempt)
            return 0.0

    script = Script([AWAY, AWAY, ValueError(), True, AWAY, False])
    loop = loop_over(script)
    loop.backoff = Counting(first=1, cap=1)
    with capture_logs():
        await play(loop, script)
    assert waits == [1, 2, 3, 1]


async def test_being_woken_ends_a_pause() -> None:
    script = Script([False, False])
    loop = loop_over(script)
    task = asyncio.ensure_future(loop.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert script.began == 1
    loop.wake()
    async with asyncio.timeout(30):
        await script.done.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_arrives_during_a_round_is_not_overslept() -> None:
    script = Script([False, False])
    loop = loop_over(script)
    script.meanwhile = lambda: loop.wake() if script.began == 1 else None
    await play(loop, script)
    assert script.began == 2
