"""Keeps events, each once by its id.

The order makes any end of it safe, for the sender sends again what it got no
answer for: the hours are touched, the events written, the hours touched again,
and last the ids. What has no id counts as not there: it is written again,
over itself.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cassandra.query import UNSET_VALUE

from svc_analytics.domain.usage import UsageEvent
from svc_analytics.stores.cassandra.calendar import day_of, hour_of
from svc_analytics.stores.cassandra.lifetime import Lifetime
from svc_analytics.stores.cassandra.marks import MarkedHours
from svc_analytics.stores.cassandra.rollups import Rollups
from svc_analytics.stores.cassandra.session import CassandraSession, Write, together
from svc_analytics.stores.cassandra.shards import shard_of

# Ids asked for in one query; each is a partition that the coordinator reads.
ASKED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """One at a time in a process, so that the same events at once count as new once.

    Two processes may both count an event as new that came to both at once;
    it is still kept once.
    """

    session: CassandraSession
    hours: MarkedHours
    rollups: Rollups
    life: Lifetime
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, events: Sequence[UsageEvent]) -> int:
        """How many were new; all are durable on return."""
        async with self._turn:
            new = await self._new(events)
            if new:
                await self._keep(new)
            return len(new)

    async def _new(self, events: Iterable[UsageEvent]) -> Sequence[UsageEvent]:
        by_id: dict[str, UsageEvent] = {}
        for event in events:
            by_id.setdefault(event.event_id, event)
        known = await known_ids(self.session, list(by_id))
        return [event for event in by_id.values() if event.event_id not in known]

    async def _keep(self, events: Sequence[UsageEvent]) -> None:
        hours = {(event.provider, hour_of(event.at_us)) for event in events}
        await self.hours.touch(hours)
        await self.session.write(*self._rows(events))
        await self.hours.touch(hours)
        ttl = self.life.traces
        await self.session.write(*(("put_id", (event.event_id, ttl)) for event in events))
        for hour in hours:
            self.rollups.changed(hour)

    def _rows(self, events: Sequence[UsageEvent]) -> Iterable[Write]:
        of_provider = [(shard_of(event.event_id), event) for event in events]
        ttl = self.life.events
        # Neighbours of one partition make one write of it.
        of_provider.sort(key=lambda pair: (pair[1].provider, day_of(pair[1].at_us), pair[0]))
        for shard, event in of_provider:
            key = (event.provider, day_of(event.at_us), shard, event.at_us, event.event_id)
            yield "put_event_of_provider", (*key, event.user_id, *_rest(event), ttl)
        for event in sorted(events, key=lambda event: (event.user_id, event.provider)):
            key_of_user = (event.user_id, event.provider, day_of(event.at_us), event.at_us)
            rest = (event.event_id, *_rest(event), ttl)
            yield "put_event_of_user", (*key_of_user, *rest)


async def known_ids(session: CassandraSession, ids: Sequence[str]) -> set[str]:
    """Which of these events are there in full."""
    known = set[str]()
    await together(
        session.pages(
            lambda rows: known.update(event_id for (event_id,) in rows),
            "known_ids",
            ids[start : start + ASKED],
        )
        for start in range(0, len(ids), ASKED)
    )
    return known


def _rest(event: UsageEvent) -> tuple[Any, ...]:
    # A null would be written as a tombstone.
    org: Any = UNSET_VALUE if event.org_id is None else event.org_id
    return org, event.tokens, event.allowed, event.reason
