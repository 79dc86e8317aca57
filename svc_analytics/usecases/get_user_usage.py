"""A user's use over a window."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_analytics.domain.totals import ProviderUsage, Totals, ranked, total
from svc_analytics.domain.window import Window
from svc_analytics.metrics import USAGE
from svc_analytics.ports import UsageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUsage:
    """The sum and its parts, most tokens first; `last_us` is None without an event."""

    window: Window
    totals: Totals
    last_us: int | None
    providers: tuple[ProviderUsage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUserUsage:
    """Whose events a caller may ask for is the access rule's business."""

    store: UsageStore
    clock: Clock

    async def __call__(self, user_id: str, *, window_minutes: int = 60) -> UserUsage:
        """The minutes up to now."""
        USAGE.inc()
        window = Window.until(self.clock.now_us(), minutes=window_minutes)
        providers = ranked(await self.store.by_provider(window, user=user_id))
        return UserUsage(
            window=window,
            totals=total(providers),
            last_us=max((usage.last_us for usage in providers), default=None),
            providers=providers,
        )
