"""Work that must reach its end even when whoever asked for it has gone away."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger("finisher")


class Finisher:
    """Owns work begun for callers that may be cancelled; waits for all of it at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. Cancelling the caller leaves the work running."""
        task = self._own(asyncio.ensure_future(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Starts work that nobody waits for; it is nobody's call, and has no call's deadline."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._own(task).add_done_callback(_log_failure)

    def _own(self, task: "asyncio.Future[T]") -> "asyncio.Future[T]":
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @asynccontextmanager
    async def closing(self) -> AsyncIterator["Finisher"]:
        """Waits for what is still running when the block ends, and for what that begins."""
        try:
            yield self
        finally:
            while self._tasks:
                await asyncio.wait(self._tasks)


def _log_failure(task: "asyncio.Future[Any]") -> None:
    # Nobody is left who would hear of it.
    if not task.cancelled() and task.exception() is not None:
        log.error("work that its caller had left behind failed", exc_info=task.exception())
