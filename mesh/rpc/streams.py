"""What every stream needs at its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The stream, closed when the block ends and not when it is collected.

    What holds a call or a subscription gives it up at once then.
    """
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


async def read_of(call: Any) -> Any:
    """The next message of a call of grpc.aio, or its EOF; to cancel this ends the call.

    A read ends with its call, never by itself: one that is cut off leaves memory behind
    that gRPC still writes to, and tells of its end when the event loop may be closed.
    """
    reading = asyncio.ensure_future(call.read())
    try:
        await asyncio.wait({reading})
    except asyncio.CancelledError:
        call.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        raise
    return reading.result()
