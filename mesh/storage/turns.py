"""Who waits for a connection is served in the order of asking.

SQLAlchemy's pool for asyncio wakes one who waits, and lets whoever comes meanwhile pass: with
64 callers at 8 connections some waited for 1.5 s, and were told that the database is away,
where each would have had its turn after 0.2 s.
"""

import asyncio

from sqlalchemy.exc import TimeoutError as PoolTimeout


class Turns:
    """As a context of any number of tasks: at most `most` at once, the others in order.

    Who has waited for `seconds` gets SQLAlchemy's TimeoutError, as from its pool.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._seconds = seconds
        self._places = asyncio.Semaphore(most)

    async def __aenter__(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
        except TimeoutError:
            raise PoolTimeout(f"no connection was free within {self._seconds:g} s") from None

    async def __aexit__(self, *_: object) -> None:
        self._places.release()
