"""A sink whose events take along the trace that they were made in, where that is followed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mesh.telemetry.tracing.links import followed, sending, sent
from mesh.telemetry.tracing.tracer import Attributes
from svc_token.domain.events import OutboxRow
from svc_token.ports import EventSink


@dataclass(frozen=True, slots=True)
class TracedSink:
    """Wraps the sink of `scheme`: what it publishes for a followed call is a span of that call.

    Events of unfollowed calls, most of them, go on as they are.
    """

    inner: EventSink
    scheme: str

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """As the inner sink's."""
        creators = followed(row.traceparent for row in rows)
        if not creators:
            await self.inner.publish(rows)
            return
        with sending("publish usage", self._attributes(len(rows)), creators) as steps:
            told = dict(zip((one.traceparent for one in creators), sent(steps), strict=True))
            await self.inner.publish(
                [replace(row, traceparent=told.get(row.traceparent, "")) for row in rows]
            )

    def _attributes(self, count: int) -> Attributes:
        return {
            "messaging.system": self.scheme,
            "messaging.operation.type": "send",
            "messaging.batch.message_count": count,
        }
