"""Messages: who sends one is in its trace, who takes it only links to it.

A batch comes of many traces and belongs to none of them. Source: OpenTelemetry,
"Semantic conventions for messaging spans".
"""

from collections.abc import Iterable
from typing import Self

from opentelemetry.trace import SpanKind

from mesh.telemetry.tracing.context import TraceContext, parsed
from mesh.telemetry.tracing.spans import FOLLOWED, UNFOLLOWED, Steps, Unfollowed
from mesh.telemetry.tracing.tracer import TRACING, Attributes, context_of


def followed(traceparents: Iterable[str]) -> list[TraceContext]:
    """Those that are followed, each once, in their order; none while nothing is traced here."""
    if not TRACING.on:
        return []
    found = (parsed(one) for one in dict.fromkeys(traceparents) if one)
    return [one for one in found if one is not None and one.sampled]


class Sending(Steps):
    """A batch on its way: what carries it is in none of the traces that its messages come from."""

    def __enter__(self) -> Self:
        """What follows is nobody's."""
        self._token = FOLLOWED.set(())
        return self


def sending(name: str, attributes: Attributes, creators: Iterable[TraceContext]) -> Sending:
    """The sending of messages, a span in the trace of each that made one."""
    return Sending(
        [TRACING.begin(name, SpanKind.PRODUCER, attributes, within=one) for one in creators]
    )


def sent(steps: Steps) -> list[str]:
    """The traceparents that the messages take along, in the order of their creators."""
    return [context_of(span).traceparent for span in steps.spans]


def taking(name: str, attributes: Attributes, traceparents: Iterable[str]) -> Steps | Unfollowed:
    """The taking of messages: within what is being done, or a trace of its own, with links."""
    links = followed(traceparents)
    if not links:
        return UNFOLLOWED
    parent = next(iter(FOLLOWED.get()), None)
    span = TRACING.begin(name, SpanKind.CONSUMER, attributes, within=parent, links=links)
    return Steps([span])
