"""The port behind which values that may change come from; a file and Consul KV are two of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from mesh.settings.source import SettingsError

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]


class Sink(Protocol):
    """Who is told of changes."""

    def apply(self, values: Mapping[str, str]) -> bool:
        """Takes all values over, or none; whether it did."""
        ...

    def refuse(self, error: SettingsError) -> None:
        """Notes that what the source holds cannot be taken over."""
        ...


class Source(Protocol):
    """Dotted names to texts, kept somewhere."""

    def begin(
        self, check: Callable[[Mapping[str, str]], T], refuse: Callable[[SettingsError], None]
    ) -> T:
        """What `check` makes of the values there are; blocks, so not for a running loop.

        `refuse` hears of values that do not fit where older ones serve instead.
        Raises SettingsError, and SourceAwayError when there is nothing to begin with.
        """
        ...

    async def follow(self, sink: Sink, pause: Pause) -> None:
        """Tells of changes since `begin` until cancelled; `pause` waits some seconds."""
        ...


class Nowhere:
    """No values, ever: what only the environment says."""

    def begin(
        self, check: Callable[[Mapping[str, str]], T], _refuse: Callable[[SettingsError], None]
    ) -> T:
        """The defaults; see Source."""
        return check({})

    async def follow(self, _sink: Sink, _pause: Pause) -> None:
        """Waits for nothing, until cancelled."""
        await asyncio.Event().wait()
