"""A call that has run out of time is dropped before it costs anything, and cut when it does."""

import asyncio
import math
from dataclasses import dataclass
from typing import Any

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED
from leaky.edge.v1.options_pb2 import DEADLINE_NONE
from mesh.errors import AppError
from mesh.rpc.call import Call
from mesh.rpc.deadlines import limit
from mesh.rpc.dispatcher import Handler
from mesh.settings import Live, MeshSettings

# Kept back so that our answer arrives before the caller gives up.
MARGIN_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class DeadlineInterceptor:
    """Bounds a call by what its caller left it and by this service's own cap."""

    settings: Live[MeshSettings]

    async def __call__(self, request: Any, call: Call, proceed: Handler) -> Any:
        """Raises DEADLINE_EXCEEDED; watches are exempt."""
        if call.method.rule.deadline == DEADLINE_NONE:
            call.deadline = math.inf
            return await proceed(request, call)
        now = asyncio.get_running_loop().time()
        cap = now + limit(call.method, self.settings.current.deadlines, at_edge=True)
        call.deadline = min(call.deadline - MARGIN_SECONDS, cap)
        if call.deadline <= now:
            raise AppError(REASON_DEADLINE_EXCEEDED, "deadline exceeded")
        try:
            async with asyncio.timeout_at(call.deadline) as bound:
                return await proceed(request, call)
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise AppError(REASON_DEADLINE_EXCEEDED, "deadline exceeded") from error
