"""The ledger's events with analytics, both ways."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mesh.clock import Clock
from svc_token.domain.audit.difference import Difference
from svc_token.domain.audit.events import (
    HOUR_US,
    HourKey,
    HourSum,
    SettleAudit,
    event_of,
    hour_of,
    stored_difference,
    unknown,
)
from svc_token.domain.events import UsageEvent
from svc_token.reconcile_ports import Audit, UsageRecord
from svc_token.usecases.reconcile.comparison import GRACE_US, PAGE, Compared, pages
from svc_token.usecases.reconcile.outbox import line_key

# An event that has left the outbox may be on its way through a broker: before each
# further look there is so much time, in seconds.
LOOKS = (0.0, 1.0, 4.0)
_WEEK_US = 7 * 24 * HOUR_US


@dataclass(slots=True)
class _Seen:
    """What analytics was found to have of the ledger's events, by the hour."""

    kept_since_us: int = 0
    hours: dict[HourKey, HourSum] = field(default_factory=dict)

    def add(self, event: UsageEvent) -> None:
        hour = hour_of(event)
        self.hours[hour] = self.hours.get(hour, HourSum()).plus(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareEvents:
    """Each settle line's event is there or on its way; and none is there that no line names.

    For the second, hours are counted; only where analytics has more than was
    looked for are its events read one by one.
    """

    audit: Audit
    usage: UsageRecord
    clock: Clock
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    what: str = "events with analytics"

    async def __call__(self, compared: Compared) -> AsyncIterator[Difference]:
        """The differences."""
        end_us = self.clock.now_us() - GRACE_US
        seen = _Seen(kept_since_us=(await self.usage.find([])).kept_since_us)
        async for page in pages(self.audit.settled, line_key):
            events = _between(page, seen.kept_since_us, end_us)
            compared.events += len(events)
            for difference in await self._looked_for(events, seen):
                yield difference
        for start_us in range(seen.kept_since_us // _WEEK_US * _WEEK_US, end_us, _WEEK_US):
            window = max(start_us, seen.kept_since_us), min(start_us + _WEEK_US, end_us)
            for hour, counted in (await self.usage.hours(*window)).items():
                if counted.events > seen.hours.get(hour, HourSum()).events:
                    async for difference in self._strangers(hour, *window):
                        yield difference

    async def _looked_for(self, events: Sequence[UsageEvent], seen: _Seen) -> list[Difference]:
        left = {event.event_id: event for event in events}
        counted: set[str] = set()
        differences: list[Difference] = []
        for seconds in LOOKS:
            if not left:
                return []
            await self.pause(seconds)
            # In this order: what has left the outbox by now is there by then.
            queued = await self.audit.queued(left)
            sighting = await self.usage.find(list(left.values()))
            seen.kept_since_us = sighting.kept_since_us
            for event_id in sighting.found.keys() - counted:
                seen.add(sighting.found[event_id])
            counted |= sighting.found.keys()
            differences = []
            for event_id, event in list(left.items()):
                difference = stored_difference(event, sighting)
                waits = event_id in queued and event_id not in sighting.found
                if difference is None or waits or event.at_us < sighting.kept_since_us:
                    del left[event_id]
                else:
                    differences.append(difference)
        return differences

    async def _strangers(
        self, hour: HourKey, start_us: int, end_us: int
    ) -> AsyncIterator[Difference]:
        provider, begun_us = hour
        start_us, end_us = max(start_us, begun_us), min(end_us, begun_us + HOUR_US)
        page = await self.usage.enforced(provider, start_us, end_us)
        while page:
            for event in await self.audit.strangers(page):
                yield unknown("analytics", event)
            last = page[-1]
            if len(page) < PAGE:
                return
            page = await self.usage.enforced(provider, last.at_us, end_us, after_id=last.event_id)


def _between(page: Sequence[SettleAudit], start_us: int, end_us: int) -> list[UsageEvent]:
    return [event for event in _events(page) if start_us <= event.at_us < end_us]


def _events(page: Sequence[SettleAudit]) -> Iterator[UsageEvent]:
    return (event_of(one.line) for one in page)
