"""A folder of settings in memory, in Consul KV's place."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from mesh.settings.remote import SourceAwayError, Stored


class Shelf:
    """A folder whose index grows with each change, as Consul's does; names begin with `under`."""

    def __init__(self, under: str = "own", /, **values: str) -> None:
        self._under = under
        self.away = False
        self.reads = 0
        self._index = 7
        self._values = self._dotted(values)
        self._changed = asyncio.Event()

    def put(self, **values: str) -> None:
        self._index += 1
        self._values = {**self._values, **self._dotted(values)}
        self._wake()

    def restore(self, index: int, **values: str) -> None:
        """From a snapshot, with whose index it goes on."""
        self._index, self._values = index, self._dotted(values)
        self._wake()

    def lose(self) -> None:
        """Breaks what is connected and lets nobody connect."""
        self.away = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def read(self, *, after: int = 0, wait: float = 0) -> Stored:
        self.reads += 1
        if after == self._index and not self.away:
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                pass
        if self.away:
            raise SourceAwayError("nobody answers")
        return Stored(index=self._index, values=dict(self._values))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Shelf"]:
        yield self

    def _dotted(self, values: Mapping[str, str]) -> dict[str, str]:
        return {f"{self._under}.{name}": text for name, text in values.items()}
