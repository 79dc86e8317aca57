"""Settings in Consul KV, one folder a service, followed by a blocking query.

The last good ones are kept in the data folder: they serve while Consul is away
or holds what does not fit, also at a start. A service that has none does not
start, because a forgotten limit is worse than a service that is not there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog

from mesh.resilience.backoff import Backoff
from mesh.settings.names import Name
from mesh.settings.remote import LastGood, SourceAwayError, Stored, admitted
from mesh.settings.source import SettingsError
from mesh.settings.sources import Pause, Sink, T

log = structlog.get_logger("settings")
# At a start, without last good values and with them.
PATIENCE_SECONDS = 20.0
SHORT_PATIENCE_SECONDS = 3.0
WATCH_SECONDS = 30.0
# Changes that follow each other this closely are taken over as one.
SETTLE_SECONDS = 0.05
_MOST_SETTLING = 10
_BACKOFF = Backoff(first=0.2, cap=5.0)
_LEAST_PAUSE = 0.05


class Folder(Protocol):
    """A service's settings, kept elsewhere."""

    async def read(self, *, after: int = 0, wait: float = 0) -> Stored:
        """What is there; with `after` when it is newer, or after `wait` seconds.

        Raises SourceAwayError.
        """
        ...


class KvSource:
    """A folder of KV; `opened` connects to it."""

    def __init__(
        self,
        opened: Callable[[], AbstractAsyncContextManager[Folder]],
        names: Sequence[Name],
        last_good: LastGood,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._opened = opened
        self._names = names
        self._last_good = last_good
        self._patience = patience
        self._seen: Mapping[str, str] | None = None
        self._kept: Mapping[str, str] | None = None
        self._strangers: set[str] = set()

    def begin(
        self, check: Callable[[Mapping[str, str]], T], refuse: Callable[[SettingsError], None]
    ) -> T:
        """The stored values, else the last good ones; see Source."""
        good = self._kept = self._last_good.read()
        try:
            stored = asyncio.run(self._fetch(self._patience if good is None else 0))
        except SourceAwayError as error:
            if good is None:
                raise
            log.warning("settings cannot be read, the last good ones serve", error=str(error))
            return check(good)
        self._seen = stored.values
        try:
            values = self._admitted(stored)
            settings = check(values)
        except SettingsError as error:
            if good is None:
                raise
            refuse(error)
            return check(good)
        self._keep(values)
        return settings

    async def _fetch(self, patience: float) -> Stored:
        """The stored values, waited for."""
        end = asyncio.get_running_loop().time() + max(patience, SHORT_PATIENCE_SECONDS)
        attempt = 0
        while True:
            try:
                async with self._opened() as folder, asyncio.timeout_at(end):
                    return await folder.read()
            except (SourceAwayError, TimeoutError) as error:
                attempt += 1
                pause = max(_LEAST_PAUSE, _BACKOFF.delay(attempt))
                if asyncio.get_running_loop().time() + pause > end:
                    raise SourceAwayError(f"settings cannot be read: {_said(error)}") from error
                if attempt == 1:
                    log.warning("waiting for the settings", error=_said(error))
            await asyncio.sleep(pause)

    async def follow(self, sink: Sink, pause: Pause) -> None:
        """Watches the folder until cancelled, over every interruption."""
        failures = 0
        while True:
            try:
                async with self._opened() as folder:
                    async for stored in _changes(folder):
                        if failures:
                            log.info("settings can be read again")
                            failures = 0
                        await self._take(stored, sink)
            except (SourceAwayError, SettingsError) as error:
                # SettingsError: its token cannot be read, perhaps as it is just being replaced.
                failures += 1
                if failures == 1:
                    log.warning("settings cannot be read, the last good stay", error=str(error))
            await pause(max(_LEAST_PAUSE, _BACKOFF.delay(failures)))

    async def _take(self, stored: Stored, sink: Sink) -> None:
        before, self._seen = self._seen, stored.values
        if before == stored.values:
            return
        log.info("settings changed", changed=_changed(before or {}, stored.values))
        try:
            values = self._admitted(stored)
        except SettingsError as error:
            sink.refuse(error)
            return
        if sink.apply(values):
            # Shielded, so that the end of the process does not lose what it ran on.
            loop = asyncio.get_running_loop()
            await asyncio.shield(loop.run_in_executor(None, self._keep, values))

    def _admitted(self, stored: Stored) -> dict[str, str]:
        values, strangers = admitted(self._names, stored.values)
        for name in strangers:
            if name not in self._strangers:
                log.warning("there is no such setting, it is ignored", setting=name)
        self._strangers = set(strangers)
        return values

    def _keep(self, values: Mapping[str, str]) -> None:
        if values == self._kept:
            return
        try:
            self._last_good.keep(values)
        except OSError as error:
            log.warning("the last good settings cannot be kept", error=str(error))
            return
        self._kept = values


async def _changes(folder: Folder) -> AsyncIterator[Stored]:
    """What there is, and what there is after each change."""
    index = 0
    while True:
        stored = await folder.read(after=index, wait=WATCH_SECONDS if index else 0)
        if stored.index != index:
            stored = await _settled(folder, stored)
            yield stored
        # It goes back when Consul was restored from a snapshot: then begin anew.
        index = stored.index if stored.index >= index else 0


async def _settled(folder: Folder, stored: Stored) -> Stored:
    for _ in range(_MOST_SETTLING):
        newer = await folder.read(after=stored.index, wait=SETTLE_SECONDS)
        if newer.index == stored.index:
            break
        stored = newer
    return stored


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _said(error: Exception) -> str:
    return str(error) or "no answer in time"
