"""What the token service compares its ledger with."""

from collections.abc import Sequence
from dataclasses import dataclass

from mesh.clock import Clock
from mesh.errors import invalid
from svc_analytics.domain.audit import EventKey, HourCount, Sighting
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import MINUTE_US, SECOND_US, Window
from svc_analytics.ports import UsageStore

MOST_KEYS = 500
PAGE = 500
_DAY_US = 24 * 60 * MINUTE_US
_WEEK_US = 7 * _DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class FindUsage:
    """Events by their keys; `retention_seconds` is for how long they are kept."""

    store: UsageStore
    clock: Clock
    retention_seconds: float

    async def __call__(self, keys: Sequence[EventKey]) -> Sighting:
        """What is here of them. Raises INVALID_ARGUMENT for too many."""
        if len(keys) > MOST_KEYS:
            raise invalid("keys", f"must be at most {MOST_KEYS}")
        # Before the look: what is deleted meanwhile was older than this.
        kept_since_us = self.clock.now_us() - round(self.retention_seconds * SECOND_US)
        events = await self.store.find(keys) if keys else ()
        found = {event.event_id for event in events}
        rest = [key.event_id for key in keys if key.event_id not in found]
        misplaced = await self.store.known(rest) if rest else frozenset[str]()
        return Sighting(events=events, misplaced=misplaced, kept_since_us=max(0, kept_since_us))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountUsage:
    """Hours."""

    store: UsageStore

    async def __call__(self, window: Window) -> Sequence[HourCount]:
        """The window's. Raises INVALID_ARGUMENT for more than a week."""
        return await self.store.enforced_hours(_checked(window))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEnforcedUsage:
    """Pages of at most 500 events."""

    store: UsageStore

    async def __call__(self, provider: str, window: Window, after_id: str) -> Sequence[UsageEvent]:
        """The next ones. Raises INVALID_ARGUMENT when the window is no part of one day."""
        _checked(window)
        if window.start_us // _DAY_US != (window.end_us - 1) // _DAY_US:
            raise invalid("end", "must be of the same day as start")
        return await self.store.enforced(provider, window, after_id=after_id, limit=PAGE)


def _checked(window: Window) -> Window:
    if not 0 < window.length_us <= _WEEK_US:
        raise invalid("end", "must be after start, by a week at most")
    return window
