"""Measures how far behind the consumer of usage events is."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Gauge

from svc_analytics.ports import UsageSource

INTERVAL_SECONDS = 5.0
LAG = Gauge(
    "analytics_usage_lag",
    "Messages in this instance's partitions that are not stored yet; NaN while that is unknown.",
)
log = structlog.get_logger("usage lag")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLag:
    """Every five seconds, until cancelled; `pause` waits that many seconds."""

    source: UsageSource
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self) -> None:
        """A source that is away, and one that is back, are said once."""
        away = False
        LAG.set(math.nan)
        while True:
            # First, as a source that has just been opened knows nothing yet.
            await self.pause(INTERVAL_SECONDS)
            try:
                LAG.set(await self.source.lag())
            except Exception as error:  # noqa: BLE001 a service does not end for a figure
                LAG.set(math.nan)
                if not away:
                    log.warning("the source of usage events is away", error=repr(error))
                away = True
            else:
                if away:
                    log.info("the source of usage events is back")
                away = False
