"""What a trace tells of calls to providers: where they go and how they end, not what is said."""

from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from mesh.telemetry.tracing.spans import (
    FOLLOWED,
    UNFOLLOWED,
    Steps,
    Unfollowed,
    handed_on,
    spanning,
)
from mesh.telemetry.tracing.tracer import Attributes


def chatting(provider: str) -> Steps | Unfollowed:
    """A whole call, all tries. Source: OpenTelemetry, "Semantic conventions for generative AI"."""
    return spanning(f"chat {provider}", SpanKind.INTERNAL, _attributes(provider))


def posting(url: str) -> Steps | Unfollowed:
    """One try; of the URL, which names models and may hold more, no more than the host."""
    if not FOLLOWED.get():
        return UNFOLLOWED
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return spanning(
        "POST",
        SpanKind.CLIENT,
        {
            "http.request.method": "POST",
            "server.address": parts.hostname or "",
            "server.port": port,
        },
    )


def headers_with_trace(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, and the trace's where the call is followed."""
    context = handed_on()
    return headers if context is None else {**headers, **context.headers}


# Of a provider of the settings, so of few.
@cache
def _attributes(provider: str) -> Attributes:
    return {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider}
