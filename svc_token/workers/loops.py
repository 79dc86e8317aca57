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
        """Until cancelled. What fails is tried again, later and later, and said each time."""
        failures = 0
        while True:
            self._woken.clear()
            more = await self._round()
            failures = failures + 1 if more is None else 0
            if not more:
                await self._wait(self.backoff.delay(failures) if failures else self.pause())

    async def _round(self) -> bool | None:
        """Whether there is more; None for a failure."""
        try:
            return await self.work()
        except AppError as error:
            log.warning(
                "will try again", worker=self.name, reason=error.outcome.name, error=error.message
            )
        except Exception:
            # A fault of ours in one loop must not take the whole service down.
            log.exception("unexpected error, will try again", worker=self.name)
        return None

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
