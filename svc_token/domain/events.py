"""What other systems are told, as JSON messages on topics."""

from dataclasses import dataclass
from datetime import UTC, datetime

SCHEMA_VERSION = 1
_SECONDS = len("2023-11-14T22:13:20")


def rfc3339(at_us: int) -> str:
    """A moment in microseconds since the epoch as RFC 3339 in UTC, with Z."""
    seconds, micros = divmod(at_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:_SECONDS]}.{micros:06d}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """One use, or refused use, of tokens; `reason` is empty for an ordinary use.

    `traceparent` is the W3C trace context that it was made in, empty unless that is followed.
    It goes beside the message, not in it.
    """

    event_id: str
    user_id: str
    org_id: str | None
    provider: str
    tokens: int
    allowed: bool
    reason: str
    at_us: int
    traceparent: str = ""

    def message(self) -> dict[str, object]:
        """The JSON message on token-usage."""
        return {
            "eventId": self.event_id,
            "userId": self.user_id,
            "orgId": self.org_id,
            "provider": self.provider,
            "tokens": self.tokens,
            "allowed": self.allowed,
            "reason": self.reason,
            "timestamp": rfc3339(self.at_us),
            "schemaVersion": SCHEMA_VERSION,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseEvent:
    """A step of a purchase."""

    event_id: str
    type: str
    saga_id: str
    user_id: str
    org_id: str | None
    provider: str
    tokens: int
    at_us: int
    traceparent: str = ""

    def message(self) -> dict[str, object]:
        """The JSON message on token-purchase-events."""
        return {
            "eventId": self.event_id,
            "type": self.type,
            "sagaId": self.saga_id,
            "userId": self.user_id,
            "orgId": self.org_id,
            "provider": self.provider,
            "tokens": self.tokens,
            "timestamp": rfc3339(self.at_us),
            "schemaVersion": SCHEMA_VERSION,
        }


Event = UsageEvent | PurchaseEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A message on its way; `seq` is the order it was committed in.

    `traceparent` is the trace that it was made in; empty unless that is followed.
    """

    seq: int
    event_id: str
    topic: str
    key: str
    payload: bytes
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRow:
    """A message that no receiver takes; `size` is its payload's, in bytes."""

    seq: int
    event_id: str
    topic: str
    key: str
    size: int
    parked_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is not delivered: how many rows wait, since when the oldest does, how many are parked.

    `oldest_us` is None where nothing waits. Rows that wait behind a parked one are counted.
    """

    depth: int
    oldest_us: int | None
    parked: int
