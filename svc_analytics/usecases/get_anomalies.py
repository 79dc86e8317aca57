"""The current window against those before it."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_analytics.domain.anomaly import Comparison, compare
from svc_analytics.domain.totals import Totals
from svc_analytics.domain.window import SECOND_US, Buckets, Window
from svc_analytics.metrics import ANOMALIES
from svc_analytics.ports import UsageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomalies:
    """The current window and how it compares."""

    window: Window
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAnomalies:
    """Compares tokens with the average of the windows of the same length just before.

    Only those of them count of which everything is kept still, for `retention_seconds`:
    an emptied one would make the usual look like an anomaly.
    """

    store: UsageStore
    clock: Clock
    retention_seconds: float

    async def __call__(
        self,
        provider: str,
        *,
        window_minutes: int = 60,
        baseline_windows: int = 4,
        threshold: float = 2.0,
        only_user: str | None = None,
    ) -> Anomalies:
        """At or above `threshold` times the average it is an anomaly."""
        ANOMALIES.inc()
        window = Window.until(self.clock.now_us(), minutes=window_minutes)
        whole = round(self.retention_seconds * SECOND_US) // window.length_us
        before = max(0, min(baseline_windows, whole - 1))
        # All windows are the buckets of one stretch, so one read sees them all.
        stretch = Buckets(window=window.with_before(before), width_us=window.length_us)
        totals = await self.store.by_bucket(provider, stretch, user=only_user)
        tokens = [totals.get(index, Totals()).tokens for index in range(stretch.count)]
        return Anomalies(
            window=window, comparison=compare(tokens[:-1], tokens[-1], threshold=threshold)
        )
