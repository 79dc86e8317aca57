"""How late the event loop is: what blocks it delays every call of the process alike."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import Histogram

INTERVAL_SECONDS = 0.05
# A timer has a resolution of a millisecond.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SECONDS = Histogram(
    "event_loop_lag_seconds",
    "How much later than asked for a timer of 0.05 s came.",
    buckets=_BUCKETS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag:
    """Twenty times a second, until cancelled; all is in seconds.

    `told` is what goes by it, such as a limit on what is let in.
    """

    told: Callable[[float], None]
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self) -> None:
        """A worker."""
        while True:
            due = self.now() + INTERVAL_SECONDS
            await self.pause(INTERVAL_SECONDS)
            late = max(0.0, self.now() - due)
            SECONDS.observe(late)
            self.told(late)
