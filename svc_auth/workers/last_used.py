"""Notes when API keys were last used, in batches."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from mesh.errors import AppError
from svc_auth.ports import ApiKeys

log = structlog.get_logger("auth.last-used")
# A key in steady use is written at most this often, in microseconds.
RESOLUTION = 60_000_000
FLUSH_SECONDS = 5.0
REMEMBERED = 10_000


class LastUsed:
    """Implements KeyUse; what it knows is bounded, and losing some of it loses no key."""

    def __init__(
        self,
        keys: ApiKeys,
        *,
        remembered: int = REMEMBERED,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._keys = keys
        self._remembered = remembered
        self._sleep = sleep
        self._noted: OrderedDict[str, int] = OrderedDict()
        self._pending: dict[str, int] = {}

    def used(self, key_id: str, at: int) -> None:
        """Remembers the use unless the key was noted within the last minute."""
        noted = self._noted.get(key_id)
        if noted is not None and at - noted < RESOLUTION:
            return
        if len(self._pending) >= self._remembered:
            return
        self._pending[key_id] = self._noted[key_id] = at
        self._noted.move_to_end(key_id)
        if len(self._noted) > self._remembered:
            self._noted.popitem(last=False)

    async def flush(self) -> None:
        """Writes what is pending; a store that is away gets it the next time."""
        batch, self._pending = self._pending, {}
        try:
            await self._keys.touch_keys(batch)
            batch = {}
        except AppError as error:
            log.warning("last use of API keys not noted yet", error=error.message)
        finally:
            self._pending = batch | self._pending

    async def run(self) -> None:
        """Flushes every few seconds until cancelled, and then once more."""
        try:
            while True:
                await self._sleep(FLUSH_SECONDS)
                await self.flush()
        finally:
            await self.flush()
