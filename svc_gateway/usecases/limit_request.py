"""Counting a request against its caller's window."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock
from svc_gateway.domain.limit import Limit, Verdict
from svc_gateway.ports import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRequest:
    """`limit_of` gives the limit of a path, None for one that is not limited."""

    windows: Windows
    limit_of: Callable[[str], Limit | None]
    clock: Clock

    async def __call__(self, path: str, caller: str) -> Verdict | None:
        """The verdict; None where there is no limit."""
        limit = self.limit_of(path)
        if limit is None:
            return None
        now = self.clock.now_us()
        window_id = now // limit.window_us
        count = await self.windows.hit(f"{limit.name}|{caller}", window_id, limit.window_us)
        end_us = (window_id + 1) * limit.window_us
        return Verdict(limit=limit, count=count, now_us=now, end_us=end_us)
