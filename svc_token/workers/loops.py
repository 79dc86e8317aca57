"""Runs a use case over and over: at once while there is work, else after a pause."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from mesh.errors import AppError
from mesh.resilience.backoff import Backoff

log = structlog.get_logger("worker")


@dataclass(slots=True, kw_only=True)
class Loop:
    """`work` returns whether there is more; `pause` is in seconds and ends early on `wake`."""

    name: str
    work: Callable[[], Awaitable[bool]]
    pause: Callable[[], float]
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.2, cap=5.0))
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """There is work: do not wait for the pause to end."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. What is away is tried again, later and later."""
        failures = 0
        while True:
            self._woken.clear()
            try:
                more = await self.work()
                failures = 0
            except AppError as error:
                failures += 1
                more = False
                log.warning("will try again", worker=self.name, reason=error.outcome.name)
            if not more:
                await self._wait(self.backoff.delay(failures) if failures else self.pause())

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
