import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_INSUFFICIENT_QUOTA,
    REASON_OVERLOADED,
    REASON_UNAVAILABLE,
)
from mesh.errors import AppError
from mesh.rpc.call import CURRENT, Call
from mesh.storage.group_commit import GroupCommit
from tests.mesh.rpc.serving import STATUS

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


class Store:
    """Commits when it is let, and remembers the batches."""

    def __init__(self, *, held: bool = False, batch: int = 256, queue: int = 4096) -> None:
        self.batches: list[list[str]] = []
        self.sizes: list[int] = []
        self.begun, self.go = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.held = held
        self.error: BaseException | None = None
        self.seen: list[Any] = []
        self.commits: GroupCommit[str, str] = GroupCommit(
            self._commit, batch=batch, queue=queue, measure=self.sizes.append
        )

    async def _commit(self, operations: Sequence[str]) -> Sequence[str | Exception]:
        self.batches.append(list(operations))
        self.seen.append(CURRENT.get())
        self.begun.release()
        if self.held:
            await self.go.acquire()
        if self.error is not None:
            raise self.error
        return [_result(operation) for operation in operations]

    def submit(self, *operations: str) -> list["asyncio.Future[str]"]:
        return [asyncio.ensure_future(self.commits.submit(each)) for each in operations]

    async def busy(self) -> "asyncio.Future[str]":
        """A first operation, whose commit has begun and is held."""
        [first] = self.submit("first")
        await self.begun.acquire()
        return first


async def test_what_waits_and_the_size_of_each_batch_are_measured() -> None:
    store = Store(held=True, batch=3)
    assert store.commits.waiting == 0
    first = await store.busy()
    assert (store.commits.waiting, store.sizes) == (0, [1])
    rest = store.submit(*"01234")
    await asyncio.sleep(0)
    assert store.commits.waiting == 5
    for _ in range(3):
        store.go.release()
    assert await asyncio.gather(first, *rest) == ["FIRST", *"01234"]
    assert (store.commits.waiting, store.sizes) == (0, [1, 3, 2])


def _result(operation: str) -> str | Exception:
    if operation.startswith("bad"):
        return AppError(REASON_INSUFFICIENT_QUOTA, operation)
    return operation.upper()


async def test_a_lone_operation_is_a_batch_of_one_and_waits_for_nothing() -> None:
    store = Store()
    assert await store.commits.submit("a") == "A"
    assert await store.commits.submit("b") == "B"
    assert store.batches == [["a"], ["b"]]


async def test_what_arrives_during_a_commit_goes_together_next() -> None:
    store = Store(held=True)
    first = await store.busy()
    others = store.submit("a", "b", "c")
    await asyncio.sleep(0)
    store.go.release()
    store.go.release()
    assert await asyncio.gather(first, *others) == ["FIRST", "A", "B", "C"]
    assert store.batches == [["first"], ["a", "b", "c"]]


async def test_a_batch_has_a_bound_and_keeps_the_order() -> None:
    store = Store(held=True, batch=2)
    first = await store.busy()
    others = store.submit("a", "b", "c", "d", "e")
    for _ in range(4):
        store.go.release()
    await asyncio.gather(first, *others)
    assert store.batches == [["first"], ["a", "b"], ["c", "d"], ["e"]]


async def test_one_that_fails_fails_alone() -> None:
    store = Store(held=True)
    first = await store.busy()
    good, bad, other = store.submit("good", "bad", "other")
    await asyncio.sleep(0)
    store.go.release()
    store.go.release()
    with pytest.raises(AppError, match="bad"):
        await bad
    assert [await first, await good, await other] == ["FIRST", "GOOD", "OTHER"]


async def test_a_commit_that_fails_fails_all_of_its_batch_and_not_the_next() -> None:
    store = Store(held=True)
    first = await store.busy()
    others = store.submit("a", "b")
    await asyncio.sleep(0)
    store.error = ConnectionError("gone")
    store.go.release()
    store.go.release()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError] * 3
    store.error, store.held = None, False
    assert await store.commits.submit("again") == "AGAIN"


async def test_too_few_results_fail_the_batch_and_hang_nobody() -> None:
    async def forgets(_operations: Sequence[str]) -> Sequence[str]:
        return []

    commits: GroupCommit[str, str] = GroupCommit(forgets)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RuntimeError, match="0 results of 1 operations"):
            await commits.submit("a")
        await commits.close()


async def test_past_its_bound_the_queue_refuses_and_what_waits_is_done() -> None:
    store = Store(held=True, queue=2)
    first = await store.busy()
    waiting = store.submit("a", "b")
    await asyncio.sleep(0)
    with pytest.raises(AppError) as refused:
        await store.commits.submit("c")
    assert (refused.value.reason, refused.value.retry_after) == (REASON_OVERLOADED, 1)
    store.go.release()
    store.go.release()
    assert await asyncio.gather(first, *waiting) == ["FIRST", "A", "B"]
    store.held = False
    assert await store.commits.submit("c") == "C"


async def test_a_caller_that_leaves_undoes_nothing_and_hangs_nobody() -> None:
    store = Store(held=True)
    first = await store.busy()
    leaving, staying = store.submit("leaving", "staying")
    await asyncio.sleep(0)
    first.cancel()
    leaving.cancel()
    store.go.release()
    store.go.release()
    async with asyncio.timeout(PATIENCE):
        assert await staying == "STAYING"
        await store.commits.close()
    assert store.batches == [["first"], ["leaving", "staying"]]
    assert first.cancelled()
    assert leaving.cancelled()


async def test_closing_waits_for_all_that_was_submitted() -> None:
    store = Store(held=True, batch=1)
    first = await store.busy()
    others = store.submit("a", "b")
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.commits.close())
    await asyncio.sleep(0)
    assert not closing.done()
    for _ in range(3):
        store.go.release()
    async with asyncio.timeout(PATIENCE):
        await closing
    assert [task.done() for task in (first, *others)] == [True] * 3
    await Store().commits.close()


async def test_a_close_that_is_cancelled_stops_no_commit() -> None:
    store = Store(held=True)
    first = await store.busy()
    closing = asyncio.ensure_future(store.commits.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    store.go.release()
    assert await first == "FIRST"


async def test_a_writer_that_is_stopped_leaves_nobody_waiting() -> None:
    store = Store(held=True, batch=1)
    first = await store.busy()
    [second] = store.submit("second")
    await asyncio.sleep(0)
    store.error = asyncio.CancelledError()
    store.go.release()
    async with asyncio.timeout(PATIENCE):
        for task in (first, second):
            with pytest.raises(AppError) as gone:
                await task
            assert gone.value.reason == REASON_UNAVAILABLE
    store.error, store.held = None, False
    assert await store.commits.submit("again") == "AGAIN"


async def test_a_writer_that_is_stopped_before_it_begins_leaves_nobody_waiting() -> None:
    store = Store()
    others = asyncio.all_tasks()
    [waiting] = store.submit("a")
    [writer] = asyncio.all_tasks() - others
    writer.cancel()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(AppError) as gone:
            await waiting
        assert gone.value.reason == REASON_UNAVAILABLE
        await store.commits.close()


async def test_a_batch_belongs_to_no_call() -> None:
    store = Store()
    token = CURRENT.set(Call(method=STATUS, metadata={}))
    await store.commits.submit("a")
    CURRENT.reset(token)
    assert store.seen == [None]
