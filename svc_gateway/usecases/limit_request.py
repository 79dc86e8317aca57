"""Counting a request against its caller's window."""

from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.telemetry.rate_limits import STORE_AWAY
from svc_gateway.domain.limit import Limit, Verdict
from svc_gateway.metrics import REQUESTS
from svc_gateway.ports import Windows

ALLOWED, BLOCKED = REQUESTS.of("allowed"), REQUESTS.of("blocked")
REFUSED = STORE_AWAY.of("windows", "refused")
PASSED = STORE_AWAY.of("windows", "passed")
# Who is missed: no service that is behind the edge.
AWAY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRequest:
    """`limit_of` gives the limit of a path, None for one that is not limited.

    `fail_open` says whether requests pass while they cannot be counted.
    """

    windows: Windows
    limit_of: Callable[[str], Limit | None]
    fail_open: Callable[[], bool]
    clock: Clock

    async def __call__(self, path: str, caller: str) -> Verdict | None:
        """The verdict; None where there is no limit, or none that could be asked.

        Raises AppError UNAVAILABLE when it cannot be asked and must be.
        """
        limit = self.limit_of(path)
        if limit is None:
            return None
        now = self.clock.now_us()
        window_id = now // limit.window_us
        try:
            count = await self.windows.hit(f"{limit.name}|{caller}", window_id, limit.window_us)
        except AppError as error:
            if not self._passes(error):
                raise
            return None
        end_us = (window_id + 1) * limit.window_us
        verdict = Verdict(limit=limit, count=count, now_us=now, end_us=end_us)
        (ALLOWED if verdict.allowed else BLOCKED).inc()
        return verdict

    def _passes(self, error: AppError) -> bool:
        """Whether an uncounted request may pass. Raises UNAVAILABLE where it may not."""
        if error.reason != REASON_UNAVAILABLE:
            return False
        if not self.fail_open():
            REFUSED.inc()
            message = "requests cannot be counted at the moment"
            raise AppError(REASON_UNAVAILABLE, message, retry_after=1, away=AWAY) from error
        PASSED.inc()
        return True
