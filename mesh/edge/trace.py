"""Which story a request belongs to: its correlation id and its trace."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mesh.clock import Ids
from mesh.telemetry.tracing.context import TraceContext, header, parsed, random_ids
from mesh.telemetry.tracing.tracer import TRACING

_CORRELATION = re.compile(rb"[A-Za-z0-9._-]{1,128}")
SCOPE_KEY = "leaky.trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """`traceparent` and `tracestate` are handed on: the trace, with a span of ours as parent.

    `parent` is the caller's span, which a trace that begins here does not have.
    """

    correlation_id: str
    trace_id: str
    traceparent: str
    tracestate: str = ""
    sampled: bool = False
    parent: TraceContext | None = None


def trace_of(headers: Iterable[tuple[bytes, bytes]], ids: Ids) -> Trace:
    """The caller's ids where they are well formed, else new ones."""
    correlation, traceparent, states = "", "", []
    for name, value in headers:
        if name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
            correlation = value.decode()
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
        elif name == b"tracestate":
            states.append(value.decode("latin-1"))
    parent = parsed(traceparent, ",".join(states)) if traceparent else None
    trace_id, span_id = random_ids()
    if parent:
        trace_id, sampled = parent.trace_id, parent.sampled
    else:
        sampled = TRACING.samples(trace_id)
    return Trace(
        correlation_id=correlation or ids.new(),
        trace_id=trace_id,
        traceparent=header(trace_id, span_id, sampled=sampled),
        tracestate=parent.state if parent else "",
        sampled=sampled,
        parent=parent,
    )
