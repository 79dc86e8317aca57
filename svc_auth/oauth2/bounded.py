"""Requests that end in time, as calls of the services do."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED
from mesh.errors import AppError

Endpoint = Callable[[Request], Awaitable[Response]]
# Longer than the slowest of ours, a login that waits for its turn.
SECONDS = 10.0


def bounded(endpoint: Endpoint, seconds: float = SECONDS) -> Endpoint:
    """The endpoint; AppError DEADLINE_EXCEEDED after that long, with its body's reading."""

    async def answered(request: Request) -> Response:
        try:
            async with asyncio.timeout(seconds) as bound:
                return await endpoint(request)
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise AppError(REASON_DEADLINE_EXCEEDED, "deadline exceeded") from error

    return answered
