"""The spans of a test, kept in memory as they end."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from mesh.telemetry.tracing.context import random_ids
from mesh.telemetry.tracing.otlp import provider_of
from mesh.telemetry.tracing.spans import Steps
from mesh.telemetry.tracing.tracer import TRACING

TRACE = "0af7651916cd43dd8448eb211c80319c"
OUTSIDE = "b7ad6b7169203331"
FOLLOWED = f"00-{TRACE}-{OUTSIDE}-01"
UNFOLLOWED = f"00-{TRACE}-{OUTSIDE}-00"


class Recorder:
    """What has ended, in that order."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def one(self, name: str) -> ReadableSpan:
        """The only span of this name."""
        (found,) = (span for span in self.spans if span.name == name)
        return found


@contextmanager
def recording(ratio: float = 0.0) -> Iterator[Recorder]:
    """Traces this process, at this ratio, during the block."""
    exporter = InMemorySpanExporter()
    provider, ids = provider_of(SimpleSpanProcessor(exporter), "test", "1")
    TRACING.use(provider.get_tracer("test"), ids)
    TRACING.sample(ratio)
    try:
        yield Recorder(exporter)
    finally:
        TRACING.use(None)
        TRACING.sample(0.0)


def step(name: str = "call") -> Steps:
    """A call that is followed."""
    trace_id, _ = random_ids()
    return Steps([TRACING.begin(name, SpanKind.SERVER, {}, trace_id=trace_id)])


def id_of(span: ReadableSpan) -> str:
    """A span's id, as a header has it."""
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def trace_of(span: ReadableSpan) -> str:
    """Its trace's."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def parent_of(span: ReadableSpan) -> str:
    """The id of the span that it is part of; empty for the first of a trace."""
    return f"{span.parent.span_id:016x}" if span.parent else ""


def links_of(span: ReadableSpan) -> list[str]:
    """The ids of the spans that it links to."""
    return [f"{link.context.span_id:016x}" for link in span.links]
