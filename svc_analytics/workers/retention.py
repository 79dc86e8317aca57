"""Applies the retention while the service runs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from mesh.errors import AppError
from svc_analytics.usecases.expire import Expire

INTERVAL_SECONDS = 600.0
log = structlog.get_logger("retention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """At start and every ten minutes, until cancelled; `pause` waits that many seconds."""

    expire: Expire
    retention_seconds: float
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self) -> None:
        """A store that is away is tried again at the next turn."""
        while True:
            try:
                deleted = await self.expire(retention_seconds=self.retention_seconds)
            except AppError as error:
                log.warning("old events stay for now", reason=error.outcome.name)
            else:
                if deleted:
                    log.info("old events deleted", events=deleted)
            await self.pause(INTERVAL_SECONDS)
