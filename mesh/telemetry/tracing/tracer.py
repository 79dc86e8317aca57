"""What makes this process's spans, and which new traces are sampled."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from mesh.telemetry.tracing.context import TraceContext

Attributes = Mapping[str, str | int | float | bool]
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
# Trace ids are random: of their lower half as many are below it as are sampled.
_IDS = 1 << 64
_NOWHERE = Context()


class TraceIds(Protocol):
    """Gives the next trace that begins its id, instead of a random one."""

    given: int | None


class Tracing:
    """One a process, as its metrics are; without a tracer nothing is sampled here.

    An incoming decision is respected, so sampling is that of OpenTelemetry's
    ParentBased(TraceIdRatioBased); decided before there is any span.
    """

    def __init__(self) -> None:
        self._tracer: Tracer | None = None
        self._ids: TraceIds | None = None
        self._bound = 0

    def use(self, tracer: Tracer | None, ids: TraceIds | None = None) -> None:
        """Makes spans with this tracer from now on, or none; it has to record all of them."""
        self._tracer, self._ids = tracer, ids

    def sample(self, ratio: float) -> None:
        """Of traces that begin here this part is sampled, 0 to 1."""
        self._bound = round(ratio * _IDS)

    @property
    def on(self) -> bool:
        """Whether spans are made at all."""
        return self._tracer is not None

    def samples(self, trace_id: str) -> bool:
        """Whether a trace that begins here with this id is followed."""
        return self._tracer is not None and int(trace_id[16:], 16) < self._bound

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        within: Span | TraceContext | None = None,
        trace_id: str = "",
        links: Iterable[TraceContext] = (),
        start_ns: int | None = None,
    ) -> Span:
        """A span `within` another, here or in the caller; without one, the first of a trace.

        Only while `on`. `start_ns` is since the epoch.
        """
        if self._tracer is None:
            raise RuntimeError("no span is made without a tracer")
        if self._ids is not None:
            self._ids.given = int(trace_id, 16) if trace_id and within is None else None
        return self._tracer.start_span(
            name,
            context=_context(within),
            kind=kind,
            attributes=attributes,
            links=[Link(_foreign(one)) for one in links],
            start_time=start_ns,
            record_exception=False,
            set_status_on_exception=False,
        )


def _context(within: Span | TraceContext | None) -> Context:
    if within is None:
        return _NOWHERE
    span = within if isinstance(within, Span) else NonRecordingSpan(_foreign(within))
    return set_span_in_context(span, _NOWHERE)


def _foreign(context: TraceContext) -> SpanContext:
    return SpanContext(
        trace_id=int(context.trace_id, 16),
        span_id=int(context.span_id, 16),
        is_remote=True,
        trace_flags=_SAMPLED,
        trace_state=TraceState.from_header([context.state] if context.state else []),
    )


def context_of(span: Span) -> TraceContext:
    """What a span hands on."""
    own = span.get_span_context()
    return TraceContext(
        trace_id=f"{own.trace_id:032x}",
        span_id=f"{own.span_id:016x}",
        sampled=True,
        state=own.trace_state.to_header(),
    )


TRACING = Tracing()
