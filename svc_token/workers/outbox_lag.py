"""Measures how far behind the delivery of events is, for all processes on the store."""

import math
from dataclasses import dataclass

from prometheus_client import Gauge

from mesh.clock import Clock
from mesh.errors import AppError
from svc_token.ports import Outbox

DEPTH = Gauge("outbox_depth", "Committed events that are not delivered yet; NaN while unknown.")
LAG = Gauge(
    "outbox_lag_seconds", "Age of the oldest event in outbox_depth, 0 for none; NaN while unknown."
)
PARKED = Gauge("outbox_parked", "Events that no receiver takes, set aside; NaN while unknown.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLag:
    """One measurement."""

    outbox: Outbox
    clock: Clock

    async def __call__(self) -> bool:
        """False: there is no more to measure. Raises AppError when the store is away."""
        try:
            backlog = await self.outbox.backlog()
        except AppError:
            self._set(math.nan, math.nan, math.nan)
            raise
        lag_us = 0
        if backlog.oldest_us is not None:
            lag_us = max(0, self.clock.now_us() - backlog.oldest_us)
        self._set(backlog.depth, lag_us / 1_000_000, backlog.parked)
        return False

    def _set(self, depth: float, lag: float, parked: float) -> None:
        DEPTH.set(depth)
        LAG.set(lag)
        PARKED.set(parked)
