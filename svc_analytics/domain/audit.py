"""What another service's ledger is compared with: events as they are, and sums of their hours."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_analytics.domain.usage import UsageEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKey:
    """All that an event is kept under."""

    event_id: str
    provider: str
    at_us: int

    @classmethod
    def of(cls, event: UsageEvent) -> "EventKey":
        """The event's."""
        return cls(event_id=event.event_id, provider=event.provider, at_us=event.at_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCount:
    """Allowed events of enforced quotas of a provider's hour, counted from the epoch."""

    provider: str
    hour: int
    events: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The events that are here, and the ids that are here under another provider or time.

    What is older than `kept_since_us` may have been deleted.
    """

    events: Sequence[UsageEvent]
    misplaced: frozenset[str]
    kept_since_us: int
