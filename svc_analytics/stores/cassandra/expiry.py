"""Deletes what the TTL leaves behind.

The TTL counts from the writing, so it misses events that came late, and those
written under a longer retention; and rollups may outlive the events in them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from svc_analytics.stores.cassandra.calendar import HOUR_US, HOURS, day_of, hour_of, hour_window
from svc_analytics.stores.cassandra.marks import Hour, MarkedHours
from svc_analytics.stores.cassandra.session import CassandraSession, Row, Write, together
from svc_analytics.stores.cassandra.shards import SHARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBefore:
    """Oldest first, day by day."""

    session: CassandraSession
    hours: MarkedHours

    async def __call__(self, cutoff_us: int, limit: int) -> int:
        """How many events were deleted, at most `limit`."""
        deleted = 0
        for day, providers in await self._days(cutoff_us):
            hours = await self._marked(providers, day, cutoff_us)
            oldest = await self._oldest(hours, cutoff_us, limit - deleted)
            await self._delete(oldest)
            deleted += len(oldest)
            if deleted == limit:
                break
            await self._forget(day, providers, hours, cutoff_us)
        return deleted

    async def _days(self, cutoff_us: int) -> Sequence[tuple[int, Sequence[str]]]:
        providers = defaultdict(list)
        for provider, day in await self.hours.all_days():
            if day <= day_of(cutoff_us):
                providers[day].append(provider)
        return sorted(providers.items())

    async def _marked(self, providers: Iterable[str], day: int, cutoff_us: int) -> Sequence[Hour]:
        return [
            (provider, hour)
            for provider in providers
            for hour in await self.hours.of_day(provider, day)
            if hour * HOUR_US < cutoff_us
        ]

    async def _oldest(self, hours: Sequence[Hour], cutoff_us: int, limit: int) -> Sequence[Row]:
        # From the first marked hour on: before it lies only what is deleted already.
        first = dict(sorted(hours, reverse=True))
        rows: list[Row] = []
        await together(
            self.session.pages(
                rows.extend,
                "oldest_of_provider",
                *(provider, hour // HOURS, shard, hour * HOUR_US, cutoff_us, limit),
            )
            for provider, hour in first.items()
            for shard in SHARDS
        )
        return sorted(rows)[:limit]

    async def _delete(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        hours = {(provider, hour_of(at_us)) for at_us, _, _, provider, _, _ in rows}
        await self.hours.touch(hours)
        # The rows that are looked for come last, so that an end in between is made good.
        await self.session.write(*(_drop_rest(row) for row in rows for _drop_rest in _RESTS))
        await self.session.write(*(_drop(row) for row in rows))
        await self.hours.touch(hours)

    async def _forget(
        self, day: int, providers: Iterable[str], hours: Iterable[Hour], cutoff_us: int
    ) -> None:
        writes: list[Write] = []
        for provider, hour in hours:
            writes.append(("drop_rollup", (provider, day, hour)))
            if hour_window(hour).end_us <= cutoff_us:
                writes.append(("drop_hour", (provider, day, hour)))
        if day < day_of(cutoff_us):
            writes += [("drop_day", (provider, day)) for provider in providers]
        await self.session.write(*writes)


def _drop(row: Row) -> Write:
    at_us, event_id, _, provider, day, shard = row
    return "drop_event_of_provider", (provider, day, shard, at_us, event_id)


def _drop_of_user(row: Row) -> Write:
    at_us, event_id, user, provider, day, _ = row
    return "drop_event_of_user", (user, provider, day, at_us, event_id)


def _drop_id(row: Row) -> Write:
    return "drop_id", (row[1],)


_RESTS = (_drop_of_user, _drop_id)
