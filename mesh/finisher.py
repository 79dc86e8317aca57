"""Work that must reach its end even when whoever asked for it has gone away."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger("finisher")
# Less than what a service has beside its drain.
GRACE_SECONDS = 2.0


async def to_its_end(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """The work's result; cancelled, it goes on for so many seconds, and is cut short then."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


class Finisher:
    """Owns work begun for callers that may be cancelled; waits for it at the end.

    For what nobody waits for it waits `grace` seconds: that may try for ever.
    """

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self._grace = grace
        self._tasks: set[asyncio.Future[Any]] = set()
        self._unwaited: set[asyncio.Future[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. Cancelling the caller leaves the work running."""
        loop = asyncio.get_running_loop()
        # As asyncio.shield does it, in half as many steps.
        told: asyncio.Future[T] = loop.create_future()
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._finished, told))
        try:
            return await told
        except asyncio.CancelledError:
            # It may have failed in the very turn in which its caller was cancelled.
            if told.done():
                _log_failure(told)
            raise

    def _finished(self, told: "asyncio.Future[T]", task: "asyncio.Task[T]") -> None:
        self._tasks.discard(task)
        if told.done():
            _log_failure(task)
        elif task.cancelled():
            told.cancel()
        elif (error := task.exception()) is not None:
            told.set_exception(error)
        else:
            told.set_result(task.result())

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Starts work that nobody waits for; it is nobody's call, and has no call's deadline."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._unwaited.add(task)
        task.add_done_callback(self._unwaited.discard)
        task.add_done_callback(_log_failure)

    @asynccontextmanager
    async def closing(self) -> AsyncIterator["Finisher"]:
        """Waits for what is still running when the block ends, and for what that begins.

        What was only begun is given up after the grace.
        """
        try:
            yield self
        finally:
            while self._tasks:
                await asyncio.wait(self._tasks)
            await self._give_up()

    async def _give_up(self) -> None:
        if self._unwaited:
            await asyncio.wait(self._unwaited, timeout=self._grace)
        left = list(self._unwaited)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if left:
            log.warning("work was given up at the end", count=len(left))


def _log_failure(task: "asyncio.Future[Any]") -> None:
    # Nobody is left who would hear of it.
    if not task.cancelled() and task.exception() is not None:
        log.error("work that its caller had left behind failed", exc_info=task.exception())
