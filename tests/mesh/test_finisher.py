import asyncio

import pytest
from structlog.testing import capture_logs

from mesh.finisher import Finisher

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


class Work:
    def __init__(self) -> None:
        self.begun, self.go, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self) -> str:
        self.begun.set()
        await self.go.wait()
        self.ended.set()
        return "done"


async def test_the_caller_gets_the_result_or_the_error() -> None:
    work, finisher = Work(), Finisher()
    work.go.set()
    assert await finisher.finish(work()) == "done"

    async def fails() -> None:
        raise ZeroDivisionError

    with capture_logs() as logs, pytest.raises(ZeroDivisionError):
        await finisher.finish(fails())
    assert logs == []


async def test_work_outlives_the_caller_that_asked_for_it() -> None:
    work, finisher = Work(), Finisher()
    caller = asyncio.ensure_future(finisher.finish(work()))
    await work.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    work.go.set()
    async with asyncio.timeout(PATIENCE):
        await work.ended.wait()


async def test_work_outlives_the_callers_time() -> None:
    work, finisher = Work(), Finisher()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await finisher.finish(work())
    work.go.set()
    async with asyncio.timeout(PATIENCE):
        await work.ended.wait()


async def test_the_end_waits_for_what_runs_and_for_what_that_begins() -> None:
    first, second, finisher = Work(), Work(), Finisher()

    async def chained() -> None:
        await first()
        asyncio.get_running_loop().call_soon(second.go.set)
        starting.append(asyncio.ensure_future(finisher.finish(second())))
        await asyncio.sleep(0)

    starting: list[asyncio.Future[str]] = []
    async with asyncio.timeout(PATIENCE), finisher.closing():
        caller = asyncio.ensure_future(finisher.finish(chained()))
        await first.begun.wait()
        caller.cancel()
        asyncio.get_running_loop().call_soon(first.go.set)
    assert second.ended.is_set()
    await asyncio.gather(caller, *starting, return_exceptions=True)


async def test_an_end_that_is_cancelled_cancels_no_work() -> None:
    work, finisher = Work(), Finisher()

    async def close() -> None:
        async with finisher.closing():
            caller = asyncio.ensure_future(finisher.finish(work()))
            await work.begun.wait()
            caller.cancel()

    closing = asyncio.ensure_future(close())
    await work.begun.wait()
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    work.go.set()
    async with asyncio.timeout(PATIENCE):
        await work.ended.wait()


async def test_a_failure_that_nobody_waits_for_any_more_is_logged() -> None:
    finisher, go = Finisher(), asyncio.Event()

    async def fails() -> None:
        await go.wait()
        raise ZeroDivisionError

    with capture_logs() as logs:
        async with finisher.closing():
            caller = asyncio.ensure_future(finisher.finish(fails()))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
            go.set()
    assert [log["event"] for log in logs] == ["work that its caller had left behind failed"]


async def test_the_end_waits_for_work_that_nobody_waits_for() -> None:
    work, finisher = Work(), Finisher(grace=PATIENCE)
    async with finisher.closing():
        finisher.begin(work())
        asyncio.get_running_loop().call_soon(work.go.set)
    assert work.ended.is_set()


async def test_the_end_gives_up_what_tries_for_ever() -> None:
    work, finisher = Work(), Finisher(grace=0.01)
    with capture_logs() as logs:
        async with asyncio.timeout(PATIENCE), finisher.closing():
            finisher.begin(work())
            await work.begun.wait()
    assert not work.ended.is_set()
    assert [(log["event"], log["count"]) for log in logs] == [("work was given up at the end", 1)]
