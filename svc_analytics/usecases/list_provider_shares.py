"""Every provider's share of a window."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_analytics.domain.totals import ProviderUsage, ranked, shares
from svc_analytics.domain.window import Window
from svc_analytics.ports import UsageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderShares:
    """Most tokens first; `shares` are in the order of `usages`."""

    window: Window
    usages: tuple[ProviderUsage, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProviderShares:
    """Providers without an event in the window are left out."""

    store: UsageStore
    clock: Clock

    async def __call__(
        self, *, window_minutes: int = 60, only_user: str | None = None
    ) -> ProviderShares:
        """The minutes up to now; with `only_user` that user's events alone."""
        window = Window.until(self.clock.now_us(), minutes=window_minutes)
        usages = ranked(await self.store.by_provider(window, user=only_user))
        return ProviderShares(window=window, usages=usages, shares=shares(usages))
