"""What this process holds and leaves to the others when it stops."""

import asyncio
from collections.abc import Awaitable, Callable

from structlog.typing import FilteringBoundLogger

from mesh.errors import AppError

SECONDS = 1.0


async def given_back(
    give: Callable[[], Awaitable[None]], log: FilteringBoundLogger, otherwise: str
) -> None:
    """Returns when it is given back; what hindered that is logged, with what comes of it."""
    try:
        async with asyncio.timeout(SECONDS):
            await give()
    except (AppError, TimeoutError) as error:
        log.warning(otherwise, error=str(error))
