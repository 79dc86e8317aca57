"""Work that must reach its end even when whoever asked for it has gone away."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Finisher:
    """Owns work begun for callers that may be cancelled; waits for all of it at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. Cancelling the caller leaves the work running."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    @asynccontextmanager
    async def closing(self) -> AsyncIterator["Finisher"]:
        """Waits for what is still running when the block ends."""
        try:
            yield self
        finally:
            await asyncio.gather(*self._tasks, return_exceptions=True)
