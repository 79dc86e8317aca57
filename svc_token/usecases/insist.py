"""Trying again what must not be left undone, within the time that the call has or beyond it."""

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
_PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}


def passing(error: AppError) -> bool:
    """Whether a store that is away, or whose queue is full, may be there the next moment."""
    return error.code in _PASSING


async def insist(work: Callable[[], Awaitable[T]], *, seconds: float | None = None) -> T:
    """The work's result; the last AppError when time is up. Work is done at least once.

    Time is `seconds`, unless given what the surrounding call has left.
    """
    loop = asyncio.get_running_loop()
    deadline = deadline_of_call() if seconds is None else loop.time() + seconds
    attempt = 1
    while True:
        try:
            return await work()
        except AppError as error:
            wait = BACKOFF.delay(attempt)
            if not passing(error) or loop.time() + wait >= deadline:
                raise
        await asyncio.sleep(wait)
        attempt += 1


def deadline_of_call() -> float:
    """When the surrounding call's time is up, on the event loop's clock."""
    call = CURRENT.get()
    if call is None:
        return asyncio.get_running_loop().time() + LONGEST_SECONDS
    return call.deadline
