"""Advances purchases for as long as the service runs, and then lets others do it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mesh.errors import AppError
from svc_token.workers.draining import to_its_end
from svc_token.workers.loops import Loop
from svc_token.workers.saga_runner import SagaRunner

# How long the steps in hand have to end when the service stops, and the leases to be given back.
DRAIN_SECONDS = 3.0
GIVE_BACK_SECONDS = 1.0
log = structlog.get_logger("sagas")


@dataclass(slots=True, kw_only=True)
class SagaWorker:
    """One round after another; `pause` is in seconds, and ends early on `wake`."""

    runner: SagaRunner
    pause: Callable[[], float]
    _loop: Loop = field(init=False)

    def __post_init__(self) -> None:
        self._loop = Loop(name="saga runner", work=self._round, pause=self.pause)

    def wake(self) -> None:
        """There is a new purchase."""
        self._loop.wake()

    async def __call__(self) -> None:
        """Until cancelled, and then to the end of the steps in hand."""
        try:
            await self._loop.run()
        finally:
            await self._leave()

    async def _round(self) -> bool:
        return await to_its_end(self.runner(), DRAIN_SECONDS)

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await self.runner.give_back()
        except (AppError, TimeoutError) as error:
            log.warning("purchases wait until their leases end", error=str(error))
