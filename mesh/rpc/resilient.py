"""A channel with a deadline on every call, one layer of retries, and breakers.

Retries are for UNAVAILABLE only, for methods marked idempotent, within a retry
budget (gRFC A6); never after a first streamed message. There is one breaker
for each service of the target's proto, so that one broken part does not close
the others.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from leaky.common.v1.reason_pb2 import (
    REASON_DEADLINE_EXCEEDED,
    REASON_INTERNAL,
    REASON_UNAVAILABLE,
)
from mesh.errors import AppError
from mesh.resilience.backoff import Backoff
from mesh.resilience.breaker import Breaker, BreakerPolicy, Permit
from mesh.resilience.retry_budget import RetryBudget
from mesh.rpc.call import CLIENT_ADDRESS, CURRENT, Call
from mesh.rpc.channel import Channel, InstanceLostError
from mesh.rpc.deadlines import limit
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.streams import closing
from mesh.settings import Live, MeshSettings

MAX_ATTEMPTS = 3
BACKOFF = Backoff(first=0.02, cap=0.2)
# A service inside the mesh is back within seconds, and a probe costs little.
POLICY = BreakerPolicy(window=20, min_calls=10, failure_percent=50, open_seconds=1.0, half_open=3)
# What says that the target is in trouble. A client's own error does not, nor does a
# feature that is off or a breaker behind the target, though gRPC has one code for all.
_FAILURES = {REASON_UNAVAILABLE, REASON_DEADLINE_EXCEEDED, REASON_INTERNAL}


class ResilientChannel:
    """Wraps the channel to `target`; with `tells_client` calls say for whose address they are."""

    def __init__(
        self,
        *,
        inner: Channel,
        target: str,
        settings: Live[MeshSettings],
        tells_client: bool = False,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._inner = inner
        self._target = target
        self._settings = settings
        self._tells_client = tells_client
        self._backoff = backoff
        self._budget = RetryBudget()
        self._breakers: dict[str, Breaker] = {}
        self._met = False

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        metadata: Mapping[str, str] | None = None,
    ) -> Res:
        """The response, or the last attempt's AppError."""
        loop = asyncio.get_running_loop()
        call, now = CURRENT.get(), loop.time()
        deadline = now + self._limit(method, timeout)
        if call is not None:
            deadline = min(deadline, call.deadline)
        sent = self._metadata(metadata, call)
        attempt = 1
        while True:
            try:
                return await self._attempt(method, request, deadline - loop.time(), sent)
            except AppError as error:
                wait = self._backoff.delay(attempt)
                late = loop.time() + wait >= deadline
                if late or attempt >= MAX_ATTEMPTS or not self._may_retry(method, error):
                    raise
            await asyncio.sleep(wait)
            attempt += 1

    async def _attempt(
        self, method: Method[Req, Res], request: Req, left: float, metadata: Mapping[str, str]
    ) -> Res:
        if left <= 0:
            raise AppError(REASON_DEADLINE_EXCEEDED, "deadline exceeded")
        with self._breaker(method).before() as permit:
            try:
                response = await self._inner.unary(method, request, timeout=left, metadata=metadata)
            except InstanceLostError:
                # The others are there: neither the breaker's business, nor the budget's.
                raise
            except AppError as error:
                self._failed(error)
                self._record(permit, success=error.reason not in _FAILURES)
                raise
            self._record(permit, success=True)
            self._budget.record_success()
            return response

    def _record(self, permit: Permit, *, success: bool) -> None:
        # While a system starts, its services look for each other: who has never
        # answered is not broken but not there yet, and refuses at once anyway.
        self._met = self._met or success
        if self._met:
            permit.record(success=success)

    def _failed(self, error: AppError) -> None:
        if error.reason == REASON_UNAVAILABLE:
            self._budget.record_failure()

    def _may_retry(self, method: Method[Any, Any], error: AppError) -> bool:
        worth = error.reason == REASON_UNAVAILABLE and method.idempotent
        return worth and self._budget.allows_retry()

    def _limit(self, method: Method[Any, Any], timeout: float | None) -> float:
        if timeout is not None:
            return timeout
        return limit(method, self._settings.current.deadlines, at_edge=False)

    def _metadata(self, given: Mapping[str, str] | None, call: Call | None) -> Mapping[str, str]:
        sent = dict(given or {})
        if call is not None and call.traceparent:
            # Followed or not: what either side logs of the call has the trace's id.
            sent.setdefault("traceparent", call.traceparent)
            if call.tracestate:
                sent.setdefault("tracestate", call.tracestate)
        if call is not None and call.correlation_id:
            sent.setdefault("x-correlation-id", call.correlation_id)
        if not self._tells_client:
            sent.pop(CLIENT_ADDRESS, None)
        elif call is not None and call.client_address:
            sent.setdefault(CLIENT_ADDRESS, call.client_address)
        return sent

    def _breaker(self, method: Method[Any, Any]) -> Breaker:
        breaker = self._breakers.get(method.service)
        if breaker is None:
            clock = asyncio.get_running_loop().time
            name = f"{self._target}:{method.service}"
            breaker = self._breakers[method.service] = Breaker(name, lambda: POLICY, clock)
        return breaker

    async def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The responses; whoever follows a stream reconnects by its own rule."""
        sent = self._metadata(metadata, CURRENT.get())
        async with closing(self._inner.stream(method, request, metadata=sent)) as responses:
            async for response in responses:
                yield response

    async def close(self) -> None:
        """Ends the connection."""
        await self._inner.close()
