"""A provider's totals over a window."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_analytics.domain.totals import Summary
from svc_analytics.domain.window import Window
from svc_analytics.metrics import REPORTS
from svc_analytics.ports import UsageStore

TOP_USERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The window and what was used in it."""

    window: Window
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class GetReport:
    """Exact totals, never a sample."""

    store: UsageStore
    clock: Clock

    async def __call__(
        self, provider: str, *, window_minutes: int = 60, only_user: str | None = None
    ) -> Report:
        """The minutes up to now; with `only_user` that user's events alone."""
        REPORTS.inc()
        window = Window.until(self.clock.now_us(), minutes=window_minutes)
        summary = await self.store.summary(provider, window, user=only_user, top=TOP_USERS)
        return Report(window=window, summary=summary)
