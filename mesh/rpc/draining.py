"""Ends streams when their server drains: a watch would outlast any grace."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.rpc.streams import closing

T = TypeVar("T")


async def until_draining(responses: AsyncIterator[T], draining: asyncio.Event) -> AsyncIterator[T]:
    """The responses, cut off by AppError UNAVAILABLE so that the watcher looks elsewhere."""
    stop = asyncio.ensure_future(draining.wait())
    upcoming: asyncio.Future[Any] = stop
    async with closing(responses):
        try:
            while True:
                upcoming = asyncio.ensure_future(_next(responses))
                await asyncio.wait({upcoming, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not upcoming.done():
                    raise AppError(REASON_UNAVAILABLE, "the server drains", retry_after=1)
                for response in upcoming.result():
                    yield response
                if not upcoming.result():
                    return
        finally:
            stop.cancel()
            upcoming.cancel()
            # A stream that still runs cannot be closed.
            await asyncio.gather(stop, upcoming, return_exceptions=True)


async def _next(responses: AsyncIterator[T]) -> list[T]:
    # StopAsyncIteration cannot travel through a future.
    async for response in responses:
        return [response]
    return []
