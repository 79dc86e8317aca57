"""Trying again what must not be left undone, within the time that the call has."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from mesh.errors import AppError
from mesh.resilience.backoff import Backoff
from mesh.rpc.call import CURRENT

T = TypeVar("T")
BACKOFF = Backoff(first=0.02, cap=0.5)
# Of work that no call surrounds.
LONGEST_SECONDS = 4.0
# A store that is away, or whose queue is full, may be there the next moment.
_PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}


async def insist(work: Callable[[], Awaitable[T]]) -> T:
    """The work's result; the last AppError when time is up. Work is done at least once."""
    loop = asyncio.get_running_loop()
    call = CURRENT.get()
    deadline = loop.time() + LONGEST_SECONDS if call is None else call.deadline
    attempt = 1
    while True:
        try:
            return await work()
        except AppError as error:
            wait = BACKOFF.delay(attempt)
            if error.code not in _PASSING or loop.time() + wait >= deadline:
                raise
        await asyncio.sleep(wait)
        attempt += 1
