"""Spans of calls, at the one who serves and at the one who calls.

Names and attributes are OpenTelemetry's, "Semantic conventions for gRPC". Its own
instrumentation makes a span for every call, sampled or not, and sees none that stays in the
process; so these are ours.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping
from types import TracebackType
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from mesh.rpc.call import Call
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Handler
from mesh.rpc.method import Method, Req, Res
from mesh.telemetry.call_log import TROUBLE
from mesh.telemetry.rpc import code_of
from mesh.telemetry.tracing.context import header, parsed, random_ids
from mesh.telemetry.tracing.spans import FOLLOWED, Steps, error_name
from mesh.telemetry.tracing.tracer import TRACING, Attributes, context_of

# What a server has to answer for; all else is its caller's business.
_FAULTS = TROUBLE | {grpc.StatusCode.UNIMPLEMENTED}
_attributes: dict[str, Attributes] = {}


def trace_calls(request: Any, call: Call, proceed: Handler) -> Awaitable[Any]:
    """An interceptor that follows sampled calls; outside all others, so that they know the trace.

    A call that brings no trace begins one. Streams have no span: a watch lasts for days.
    """
    begins = not call.trace_id
    if begins:
        _begin_trace(call)
    if not (call.sampled and TRACING.on) or call.method.streams:
        return proceed(request, call)
    return _followed(request, call, proceed, begins=begins)


async def _followed(request: Any, call: Call, proceed: Handler, *, begins: bool) -> Any:
    with _Served(call, begins=begins):
        return await proceed(request, call)


def _begin_trace(call: Call) -> None:
    call.trace_id, span_id = random_ids()
    call.sampled = not call.method.streams and TRACING.samples(call.trace_id)
    call.traceparent = header(call.trace_id, span_id, sampled=call.sampled)


class _Ended(Steps):
    """A call; its span tells the code that it ended with."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tells how it ended."""
        code = code_of(error) if error else grpc.StatusCode.OK
        self.tell("rpc.grpc.status_code", code.value[0])
        super().__exit__(kind, error, trace)


class _Served(_Ended):
    """A call that is served here; `begins` says that its trace begins with it."""

    def __init__(self, call: Call, *, begins: bool) -> None:
        here = next(iter(FOLLOWED.get()), None)
        within = here or (None if begins else parsed(call.traceparent, call.tracestate))
        span = TRACING.begin(
            call.method.path[1:],
            SpanKind.INTERNAL if here else SpanKind.SERVER,
            _attributes_of(call.method),
            within=within,
            trace_id=call.trace_id,
        )
        super().__init__([span])
        self._call = call
        own = context_of(span)
        call.traceparent, call.tracestate = own.traceparent, own.state

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tells who called, and how it ended."""
        if self._call.principal.user_id:
            self.tell("enduser.id", self._call.principal.user_id)
        super().__exit__(kind, error, trace)

    def failed(self, error: BaseException) -> None:
        """Only for what is the server's own fault."""
        if code_of(error) in _FAULTS:
            self.fail(error_name(error))


class TracedChannel:
    """A channel whose attempts of calls that are followed have spans, and hand them on."""

    def __init__(self, inner: Channel) -> None:
        self._inner = inner

    def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Awaitable[Res]:
        """The inner channel's response or error."""
        parents = FOLLOWED.get()
        if not parents or not TRACING.on:
            return self._inner.unary(method, request, timeout=timeout, metadata=metadata)
        return self._followed(parents[0], method, request, timeout, metadata or {})

    async def _followed(
        self,
        parent: Any,
        method: Method[Req, Res],
        request: Req,
        timeout: float | None,  # noqa: ASYNC109 a deadline that is handed on
        metadata: Mapping[str, str],
    ) -> Res:
        with _Called(method, parent) as called:
            sent = {**metadata, **called.metadata}
            return await self._inner.unary(method, request, timeout=timeout, metadata=sent)

    def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The inner channel's responses."""
        return self._inner.stream(method, request, metadata=metadata)

    async def close(self) -> None:
        """Ends the inner channel."""
        await self._inner.close()


class _Called(_Ended):
    """An attempt of a call to another process."""

    def __init__(self, method: Method[Any, Any], parent: Any) -> None:
        attributes = _attributes_of(method)
        span = TRACING.begin(method.path[1:], SpanKind.CLIENT, attributes, within=parent)
        super().__init__([span])
        self.metadata = context_of(span).headers


def _attributes_of(method: Method[Any, Any]) -> Attributes:
    known = _attributes.get(method.path)
    if known is None:
        known = _attributes[method.path] = {
            "rpc.system": "grpc",
            "rpc.service": method.service,
            "rpc.method": method.name,
        }
    return known
