"""The latest events: the days that hold some, backwards, a few at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_analytics.domain.usage import UsageEvent
from svc_analytics.stores.cassandra.marks import MarkedHours
from svc_analytics.stores.cassandra.session import CassandraSession, Row, together
from svc_analytics.stores.cassandra.shards import SHARDS

# Days asked for at once, at most: the first day mostly suffices, a user's may lie far back.
MOST_DAYS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """A provider's or one user's."""

    session: CassandraSession
    hours: MarkedHours

    async def __call__(self, provider: str, user: str | None, limit: int) -> Sequence[UsageEvent]:
        """At most `limit`, newest first, then by descending id."""
        days = await self.hours.days(provider)
        found: list[UsageEvent] = []
        count = 1
        while days and len(found) < limit:
            asked, days = days[:count], days[count:]
            found += sorted(await self._of(provider, user, asked, limit), key=_order, reverse=True)
            count = min(count * 2, MOST_DAYS)
        return found[:limit]

    async def _of(
        self, provider: str, user: str | None, days: Sequence[int], limit: int
    ) -> Sequence[UsageEvent]:
        rows: list[Row] = []
        queries: list[tuple[str, tuple[str | int, ...]]]
        if user is not None:
            queries = [("newest_of_user", (user, provider, day, limit)) for day in days]
        else:
            queries = [
                ("newest_of_provider", (provider, day, shard, limit))
                for day in days
                for shard in SHARDS
            ]
        await together(self.session.pages(rows.extend, name, *values) for name, values in queries)
        return [event_from(provider, row) for row in rows]


def _order(event: UsageEvent) -> tuple[int, str]:
    return event.at_us, event.event_id


def event_from(provider: str, row: Row) -> UsageEvent:
    """The event of a row."""
    at_us, event_id, user_id, org_id, tokens, allowed, reason = row
    return UsageEvent(
        event_id=event_id,
        user_id=user_id,
        org_id=org_id,
        provider=provider,
        tokens=tokens,
        allowed=allowed,
        reason=reason,
        at_us=at_us,
    )
