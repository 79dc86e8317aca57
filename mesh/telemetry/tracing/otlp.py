"""OpenTelemetry's SDK as it is used here: it records all that it is asked for, in batches."""

import logging
from collections.abc import Sequence
from uuid import uuid4

import structlog
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

log = structlog.get_logger("traces")
# For one batch, all tries.
EXPORT_SECONDS = 5
# As many messages as are taken at once.
_MOST_LINKS = 1_000


class Ids(RandomIdGenerator):
    """Random ids, and for a trace that has one already, that."""

    def __init__(self) -> None:
        self.given: int | None = None

    def generate_trace_id(self) -> int:
        """The one given, once; else a random one."""
        given, self.given = self.given, None
        return given or super().generate_trace_id()


class Told(SpanExporter):
    """Says once when spans can no longer be sent, and once when they can again."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch."""
        result = self._inner.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away != self._away:
            self._away = away
            log.warning("traces are dropped: nobody takes them" if away else "traces are taken")
        return result

    def shutdown(self) -> None:
        """Ends the connection."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Waits for what is under way."""
        return self._inner.force_flush(timeout_millis)


def provider_of(processor: SpanProcessor, service: str, version: str) -> tuple[TracerProvider, Ids]:
    """What makes a service's spans; the processor gets them as they end."""
    ids = Ids()
    resource = Resource.create(
        {
            "service.name": service,
            "service.namespace": "leaky-tokens",
            "service.version": version,
            "service.instance.id": str(uuid4()),
        }
    )
    provider = TracerProvider(
        # Whether a trace is sampled is decided before there is a span.
        sampler=ALWAYS_ON,
        resource=resource,
        id_generator=ids,
        span_limits=SpanLimits(max_links=_MOST_LINKS),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    return provider, ids


def provider_to(endpoint: str, service: str, version: str) -> tuple[TracerProvider, Ids]:
    """Spans go to `http://HOST:PORT`, or over TLS to `https://HOST:PORT`."""
    # It tells of each try, and in a loop; `Told` says it once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
    return provider_of(BatchSpanProcessor(Told(exporter)), service, version)
