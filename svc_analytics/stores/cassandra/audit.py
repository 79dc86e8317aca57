"""Events one by one, and counted, for whoever compares them with a ledger.

What is counted are the events themselves: rollups do not know which were enforced.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from svc_analytics.domain.audit import EventKey, HourCount
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Window
from svc_analytics.stores.cassandra.calendar import (
    day_of,
    hour_of,
    hour_window,
    overlap,
    spans,
    touches,
)
from svc_analytics.stores.cassandra.marks import MarkedHours
from svc_analytics.stores.cassandra.newest import event_from
from svc_analytics.stores.cassandra.session import CassandraSession, Row, together
from svc_analytics.stores.cassandra.shards import SHARDS, shard_of
from svc_analytics.stores.cassandra.sums import Sum


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAudit:
    """Reads of the table usage_by_provider."""

    session: CassandraSession
    hours: MarkedHours

    async def find(self, keys: Sequence[EventKey]) -> Sequence[UsageEvent]:
        """Those that are kept under all of their key."""
        found: list[UsageEvent] = []

        async def look(key: EventKey) -> None:
            shard = shard_of(key.event_id)
            place = (key.provider, day_of(key.at_us), shard, key.at_us, key.event_id)
            rows = await self.session.rows("known_event", *place)
            found.extend(event_from(key.provider, row) for row in rows)

        await together(look(key) for key in keys)
        return found

    async def enforced_hours(self, window: Window) -> Sequence[HourCount]:
        """Exact counts of each hour that holds one."""
        sums: defaultdict[tuple[str, int], Sum] = defaultdict(Sum)
        days = [(name, day) for name, day in await self.hours.all_days() if touches(window, day)]
        for provider, day in days:
            await self._add_day(provider, day, window, sums)
        return [
            HourCount(provider=provider, hour=hour, events=one.events, tokens=one.tokens)
            for (provider, hour), one in sums.items()
        ]

    async def _add_day(
        self, provider: str, day: int, window: Window, sums: defaultdict[tuple[str, int], Sum]
    ) -> None:
        def add(rows: Iterable[Row]) -> None:
            for at_us, tokens, allowed, reason in rows:
                if allowed and not reason:
                    sums[provider, hour_of(at_us)].use(at_us, tokens, allowed=True)

        marked = await self.hours.of_day(provider, day)
        inside = [hour for hour in marked if overlap(window, hour_window(hour))]
        await together(
            self.session.pages(
                add, "uses_with_reasons", provider, day, shard, span.start_us, span.end_us
            )
            for span in spans(inside, window)
            for shard in SHARDS
        )

    async def enforced(
        self, provider: str, window: Window, after_id: str, limit: int
    ) -> Sequence[UsageEvent]:
        """The first of each shard, then the first of all of these."""
        found: list[UsageEvent] = []

        async def look(shard: int) -> None:
            found.extend(await self._first(provider, shard, window, after_id, limit))

        await together(look(shard) for shard in SHARDS)
        return sorted(found, key=lambda event: (event.at_us, event.event_id))[:limit]

    async def _first(
        self, provider: str, shard: int, window: Window, after_id: str, limit: int
    ) -> Sequence[UsageEvent]:
        found: list[UsageEvent] = []
        partition = (provider, day_of(window.start_us), shard)
        after = (window.start_us, after_id)
        while True:
            rows = await self.session.rows("oldest_after", *partition, *after, window.end_us, limit)
            events = [event_from(provider, row) for row in rows]
            found += [event for event in events if event.allowed and not event.reason]
            if len(rows) < limit or len(found) >= limit:
                return found[:limit]
            after = (events[-1].at_us, events[-1].event_id)
