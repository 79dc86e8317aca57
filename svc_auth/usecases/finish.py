"""For a change and its announcement, which must not be torn apart."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Runs the work to its end also when the caller is cancelled meanwhile.

    A caller that hung up just as a revocation was committed must not keep it
    from being announced. The cancellation takes its course after the work.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen, though the caller will not see it
        raise
