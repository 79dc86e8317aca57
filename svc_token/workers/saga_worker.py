"""Advances purchases for as long as the service runs, and then lets others do it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mesh.finisher import to_its_end
from svc_token.workers.draining import given_back
from svc_token.workers.loops import Loop
from svc_token.workers.saga_runner import SagaRunner

# How long the steps in hand have to end when the service stops.
DRAIN_SECONDS = 3.0
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
            give = self.runner.give_back
            await given_back(give, log, "purchases wait until their leases end")

    async def _round(self) -> bool:
        return await to_its_end(self.runner(), DRAIN_SECONDS)
