"""Rotates signing keys when it is time, and learns of what other processes rotated."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from mesh.errors import AppError
from svc_auth.domain import signing
from svc_auth.domain.caller import SYSTEM
from svc_auth.domain.claims import SECOND
from svc_auth.metrics import KEY_EXPIRY
from svc_auth.ports import KeyRotation

log = structlog.get_logger("auth.keys")


class Rotating:
    """`every` is how long a key signs, in microseconds; `look_seconds` how often it looks.

    It must look several times between a key's making and its first signature.
    """

    def __init__(
        self,
        keys: KeyRotation,
        *,
        every: int,
        look_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._keys = keys
        self._every = every
        self._look_seconds = look_seconds
        self._sleep = sleep

    async def look(self) -> None:
        """One round; a store that is away is asked again in the next."""
        try:
            await self._keys.refresh()
            if self._keys.due(self._every):
                for life in await self._keys.rotate(SYSTEM):
                    log.info("the next signing key is published", kid=life.kid, alg=life.alg)
            await self._keys.forget_retired()
        except AppError as error:
            log.warning("signing keys cannot be looked at", error=error.message)
        self._measure()

    def _measure(self) -> None:
        lives = self._keys.lives
        for alg in {life.alg for life in lives}:
            newest = signing.newest(lives, alg)
            if newest is not None:
                # The next key moves it on as soon as it is published.
                KEY_EXPIRY.of(alg).set((newest.active_at + self._every) / SECOND)

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await self.look()
            await self._sleep(self._look_seconds)
