import asyncio

import pytest

from svc_auth.usecases.finish import finish

pytestmark = pytest.mark.anyio


async def test_the_result_and_the_error_come_through() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 7

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError

    assert await finish(answer()) == 7
    with pytest.raises(LookupError):
        await finish(fail())


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_caller_waits_for_the_work(*, fails: bool) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def work() -> None:
        started.set()
        await go_on.wait()
        done.append("work")
        if fails:
            raise ValueError

    caller = asyncio.ensure_future(finish(work()))
    await started.wait()
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done == ["work"]
