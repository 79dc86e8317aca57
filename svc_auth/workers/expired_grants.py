"""Forgets OAuth2's grants, tokens and sessions once they have ended."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.ports_oauth2 import Grants

log = structlog.get_logger("auth.grants")
EVERY_SECONDS = 600.0
# A code that is shown again shortly after its end still ends what came of it.
KEPT = 3_600_000_000


class ExpiredGrants:
    """Looks every ten minutes."""

    def __init__(
        self,
        grants: Grants,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._grants = grants
        self._clock = clock
        self._sleep = sleep

    async def look(self) -> None:
        """One round; a store that is away is asked again in the next."""
        try:
            await self._grants.purge(before=self._clock.now_us() - KEPT)
        except AppError as error:
            log.warning("ended grants are not removed yet", error=error.message)

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await self.look()
            await self._sleep(EVERY_SECONDS)
