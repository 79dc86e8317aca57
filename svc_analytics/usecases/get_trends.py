"""A provider's window as a row of buckets."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_analytics.domain.totals import Totals
from svc_analytics.domain.window import Buckets, Window, cut
from svc_analytics.ports import UsageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """One total for each bucket, oldest first."""

    buckets: Buckets
    totals: tuple[Totals, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTrends:
    """Empty buckets are there, as zeros."""

    store: UsageStore
    clock: Clock

    async def __call__(
        self,
        provider: str,
        *,
        window_minutes: int = 60,
        buckets: int = 60,
        only_user: str | None = None,
    ) -> Trends:
        """At most `buckets` points of whole seconds, over the minutes up to now."""
        window = Window.until(self.clock.now_us(), minutes=window_minutes)
        row = cut(window, at_most=buckets)
        found = await self.store.by_bucket(provider, row, user=only_user)
        return Trends(
            buckets=row,
            totals=tuple(found.get(index, Totals()) for index in range(row.count)),
        )
