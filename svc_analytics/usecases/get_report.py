"""A provider's totals over a window."""

from dataclasses import dataclass, field
from functools import partial

from mesh.clock import Clock
from svc_analytics.domain.totals import Summary
from svc_analytics.domain.window import Window
from svc_analytics.metrics import REPORTS
from svc_analytics.ports import UsageStore
from svc_analytics.usecases.turns import Turns

TOP_USERS = 5
# A provider, minutes, and whose events alone.
_Asked = tuple[str, int, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The window and what was used in it."""

    window: Window
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class GetReport:
    """Exact totals, never a sample.

    It is the read that costs most, and what pages ask for again and again: those who ask
    for the same at once share one, whose window ends when it begins.
    """

    store: UsageStore
    clock: Clock
    shared: Turns[_Asked, Report] = field(default_factory=Turns)

    async def __call__(
        self, provider: str, *, window_minutes: int = 60, only_user: str | None = None
    ) -> Report:
        """The minutes up to now; with `only_user` that user's events alone."""
        REPORTS.inc()
        asked = (provider, window_minutes, only_user)
        return await self.shared.join(asked, partial(self._read, *asked))

    async def _read(self, provider: str, window_minutes: int, only_user: str | None) -> Report:
        window = Window.until(self.clock.now_us(), minutes=window_minutes)
        summary = await self.store.summary(provider, window, user=only_user, top=TOP_USERS)
        return Report(window=window, summary=summary)
