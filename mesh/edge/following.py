"""Spans of HTTP requests, and the one line that the log has of each.

Source of the attributes: OpenTelemetry, "Semantic conventions for HTTP spans".
"""

import logging
from dataclasses import replace

import structlog
from opentelemetry.trace import SpanKind
from starlette.types import Scope

from mesh.edge.metrics import uri_of, verb_of
from mesh.edge.request import PRINCIPAL_KEY
from mesh.edge.trace import Trace
from mesh.telemetry.tracing.context import parsed
from mesh.telemetry.tracing.spans import UNFOLLOWED, Steps, Unfollowed
from mesh.telemetry.tracing.tracer import TRACING, context_of

log = structlog.get_logger("edge")
_logger = logging.getLogger("edge")
_SERVER_ERROR = 500
# Asked for every few seconds by machines.
_BY_MACHINES = ("/actuator", "/metrics")


def following(scope: Scope, trace: Trace) -> tuple[Trace, Steps | Unfollowed]:
    """The request's step, and its trace as it is handed on from there."""
    if not (trace.sampled and TRACING.on):
        return trace, UNFOLLOWED
    if trace.parent is None and scope["path"].startswith(_BY_MACHINES):
        return trace, UNFOLLOWED
    verb = verb_of(scope)
    attributes = {"http.request.method": verb, "url.scheme": str(scope.get("scheme", "http"))}
    span = TRACING.begin(
        verb, SpanKind.SERVER, attributes, within=trace.parent, trace_id=trace.trace_id
    )
    own = context_of(span)
    return replace(trace, traceparent=own.traceparent, tracestate=own.state), Steps([span])


def continued(scope: Scope, name: str) -> Steps | Unfollowed:
    """A request's step outside of an edge: only where its caller says that it is followed."""
    if not TRACING.on:
        return UNFOLLOWED
    given = next((value for key, value in scope["headers"] if key == b"traceparent"), b"")
    caller = parsed(given.decode("latin-1")) if given else None
    if caller is None or not caller.sampled:
        return UNFOLLOWED
    attributes = {"http.request.method": verb_of(scope)}
    return Steps([TRACING.begin(name, SpanKind.SERVER, attributes, within=caller)])


def answered(steps: Steps | Unfollowed, scope: Scope, status: int) -> None:
    """Tells how the request ended; 0 for a client that left before its answer."""
    if isinstance(steps, Steps):
        route = uri_of(scope)
        steps.rename(f"{verb_of(scope)} {route}")
        steps.tell("http.route", route)
        if status:
            steps.tell("http.response.status_code", status)
        if status >= _SERVER_ERROR:
            steps.fail(str(status))


def tell(scope: Scope, trace: Trace, status: int, seconds: float) -> None:
    """One line a request: at debug, or at info where the answer is a fault of ours."""
    level = logging.INFO if status >= _SERVER_ERROR else logging.DEBUG
    if not _logger.isEnabledFor(level):
        return
    known = {"principal": scope[PRINCIPAL_KEY]} if scope.get(PRINCIPAL_KEY) else {}
    log.log(
        level,
        "request",
        method=verb_of(scope),
        uri=uri_of(scope),
        outcome=status or 499,
        milliseconds=round(seconds * 1000, 3),
        trace_id=trace.trace_id,
        correlation_id=trace.correlation_id,
        **known,
    )
