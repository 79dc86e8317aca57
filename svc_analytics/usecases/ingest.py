"""Takes usage events in."""

from collections.abc import Sequence
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.errors import AppError, FieldViolation, invalid
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Counter
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageStore

MOST_EVENTS = 1_000
INGESTED = Closed(
    Counter,
    "analytics_events_ingested_total",
    "Usage events received, by outcome.",
    {"outcome": ("stored", "duplicate", "dead")},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Each event once by its id, however often it is delivered."""

    store: UsageStore

    async def __call__(self, events: Sequence[UsageEvent]) -> int:
        """How many were new; all are durable on return.

        Raises INVALID_ARGUMENT that names each bad event by its index, and
        then keeps none: the sender has to park what can never be stored.
        """
        _check(events)
        stored = await self.store.append(events)
        INGESTED.of("stored").inc(stored)
        INGESTED.of("duplicate").inc(len(events) - stored)
        return stored


def _check(events: Sequence[UsageEvent]) -> None:
    if len(events) > MOST_EVENTS:
        raise invalid("events", f"must be at most {MOST_EVENTS}")
    violations = tuple(
        FieldViolation(field=f"events[{index}].{field}", message=message)
        for index, event in enumerate(events)
        for field, message in event.faults()
    )
    if violations:
        message = "; ".join(f"{fault.field}: {fault.message}" for fault in violations)
        raise AppError(REASON_INVALID_ARGUMENT, message, violations=violations)
