"""The port `UsageStore` over Cassandra."""

import asyncio
import math
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from mesh.workers import Workers
from svc_analytics.domain.audit import EventKey, HourCount
from svc_analytics.domain.totals import ProviderUsage, Summary, Totals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.stores.cassandra.address import Address
from svc_analytics.stores.cassandra.appending import Append, known_ids
from svc_analytics.stores.cassandra.audit import EventAudit
from svc_analytics.stores.cassandra.calendar import touches
from svc_analytics.stores.cassandra.expiry import DeleteBefore
from svc_analytics.stores.cassandra.lifetime import DAY_SECONDS, Lifetime
from svc_analytics.stores.cassandra.marks import MarkedHours
from svc_analytics.stores.cassandra.newest import Newest
from svc_analytics.stores.cassandra.rollups import SETTLE_SECONDS, Rollups
from svc_analytics.stores.cassandra.session import CassandraSession, together
from svc_analytics.stores.cassandra.sums import ByBucket, ByUser, Whole
from svc_analytics.stores.cassandra.totals import WindowTotals


class CassandraUsageStore:
    """The port over one session; `ttl` is for how many seconds an event is kept."""

    def __init__(
        self, session: CassandraSession, *, ttl: int, settle: float = SETTLE_SECONDS
    ) -> None:
        self._session = session
        life = Lifetime(ttl)
        self._hours = MarkedHours(session=session, life=life)
        self.rollups = Rollups(session, self._hours, life=life, settle=settle)
        self._totals = WindowTotals(session=session, hours=self._hours, rollups=self.rollups)
        self._append = Append(session=session, hours=self._hours, rollups=self.rollups, life=life)
        self._newest = Newest(session=session, hours=self._hours)
        self._audit = EventAudit(session=session, hours=self._hours)
        self._delete_before = DeleteBefore(session=session, hours=self._hours)

    async def append(self, events: Sequence[UsageEvent]) -> int:
        """Keeps the events; how many were new. One that fails is whole after the next try."""
        return await self._append(events)

    async def newest(
        self, provider: str, *, user: str | None = None, limit: int
    ) -> Sequence[UsageEvent]:
        """The latest events, newest first."""
        return await self._newest(provider, user, limit)

    async def summary(
        self, provider: str, window: Window, *, user: str | None = None, top: int
    ) -> Summary:
        """The window's totals with at most `top` users."""
        sums = ByUser()
        await self._totals.add(provider, window, user, sums)
        return await asyncio.to_thread(sums.summary, top)

    async def by_bucket(
        self, provider: str, buckets: Buckets, *, user: str | None = None
    ) -> Mapping[int, Totals]:
        """The totals of each bucket that holds an event."""
        sums = ByBucket(buckets)
        await self._totals.add(provider, buckets.window, user, sums)
        return sums.totals()

    async def by_provider(
        self, window: Window, *, user: str | None = None
    ) -> Sequence[ProviderUsage]:
        """The totals of each provider that has an event in the window."""
        days = await self._hours.all_days()
        sums = {provider: Whole() for provider, day in days if touches(window, day)}
        await together(
            self._totals.add(provider, window, user, one) for provider, one in sums.items()
        )
        return [
            ProviderUsage(provider=provider, totals=one.total.totals(), last_us=one.total.last_us)
            for provider, one in sums.items()
            if one.total.events
        ]

    async def delete_before(self, cutoff_us: int, *, limit: int) -> int:
        """Deletes what the TTL leaves behind; how many events."""
        return await self._delete_before(cutoff_us, limit)

    async def find(self, keys: Sequence[EventKey]) -> Sequence[UsageEvent]:
        """Those that are kept under all of their key."""
        return await self._audit.find(keys)

    async def known(self, event_ids: Collection[str]) -> frozenset[str]:
        """Which of these ids are kept."""
        return frozenset(await known_ids(self._session, list(event_ids)))

    async def enforced_hours(self, window: Window) -> Sequence[HourCount]:
        """Exact counts of each hour."""
        return await self._audit.enforced_hours(window)

    async def enforced(
        self, provider: str, window: Window, *, after_id: str = "", limit: int
    ) -> Sequence[UsageEvent]:
        """These events, oldest first."""
        return await self._audit.enforced(provider, window, after_id, limit)

    async def ping(self) -> None:
        """Raises AppError when the cluster does not answer."""
        await self._session.rows("revision")


@asynccontextmanager
async def open_store(
    url: str, *, retention_seconds: float = 90 * DAY_SECONDS
) -> AsyncIterator[CassandraUsageStore]:
    """The events in a keyspace that `leaky migrate` has made.

    Opens also while the cluster is away; until it is there every call is an
    AppError UNAVAILABLE. Raises ValueError for a URL that is none, and
    WrongDataError where `leaky migrate` has to be run first.
    """
    session = CassandraSession(Address.parse(url))
    store = CassandraUsageStore(session, ttl=math.ceil(retention_seconds))
    try:
        await session.connect()
        async with Workers([session.keep_trying, store.rollups.run]).running():
            yield store
    finally:
        await asyncio.shield(session.close())
