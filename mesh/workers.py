"""Background loops beside what they serve."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Self

import structlog

log = structlog.get_logger("service")


class Workers:
    """Loops that run until they are stopped; the first to fail ends what runs beside them.

    As in a TaskGroup the task beside them is cancelled and the failure raised
    at the end, but bare, and not any more once that task is `draining`: what
    is in flight is worth more than an early end.
    """

    def __init__(self, loops: Sequence[Callable[[], Awaitable[None]]]) -> None:
        self._loops = loops
        self._beside: asyncio.Task[object] | None = None
        self._cancelled = False
        self.failure: BaseException | None = None

    def draining(self) -> None:
        """From here on a failure is logged and raised at the end, and cuts nothing short."""
        self._beside = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Runs them during the block. Raises the first failure."""
        beside = self._beside = asyncio.current_task()
        tasks = [asyncio.ensure_future(loop()) for loop in self._loops]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            yield self
        except asyncio.CancelledError:
            if not self._cancelled or beside is None or beside.uncancel() > 0:
                raise
        finally:
            await self._stop(tasks)
        if self.failure is not None:
            raise self.failure

    async def _stop(self, tasks: Sequence["asyncio.Future[None]"]) -> None:
        self.draining()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: "asyncio.Future[None]") -> None:
        if task.cancelled():
            return
        error = task.exception() or RuntimeError("a worker ended by itself")
        log.error("a worker failed, the service stops", exc_info=error)
        if self.failure is not None:
            return
        self.failure = error
        if self._beside is not None:
            self._cancelled = self._beside.cancel()
