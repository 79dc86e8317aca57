"""The events of settle lines against what the outbox and analytics have."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from svc_token.domain.audit.difference import Difference, Mismatch
from svc_token.domain.entry import Entry
from svc_token.domain.events import OutboxRow, UsageEvent, rfc3339
from svc_token.domain.operations import Emit
from svc_token.domain.owner import OwnerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleAudit:
    """A settle line, and the outbox's message of its event at the same moment."""

    line: Entry
    queued: bytes | None


# A provider, and when the hour began, in microseconds since the epoch.
HourKey = tuple[str, int]
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSum:
    """How many events lie in an hour, and their tokens."""

    events: int = 0
    tokens: int = 0

    def plus(self, event: UsageEvent) -> "HourSum":
        """With one more."""
        return HourSum(events=self.events + 1, tokens=self.tokens + event.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What analytics has of some events.

    `misplaced` are ids that it keeps under another provider or time. What is
    older than `kept_since_us` may have been deleted.
    """

    found: Mapping[str, UsageEvent]
    misplaced: frozenset[str]
    kept_since_us: int


def hour_of(event: UsageEvent) -> HourKey:
    """The hour that it lies in."""
    return event.provider, event.at_us - event.at_us % HOUR_US


def stored_difference(event: UsageEvent, sighting: Sighting) -> Difference | None:
    """What analytics has instead of the event; None for the very same."""
    stored = sighting.found.get(event.event_id)
    if stored == event:
        return None
    if stored is not None:
        return differing("analytics", event, shown(stored))
    if event.event_id in sighting.misplaced:
        return differing("analytics", event, "the same id under another provider or time")
    return missing(event)


def event_in(row: OutboxRow) -> UsageEvent | None:
    """The event of a message in the outbox; None for what is none."""
    try:
        said = json.loads(row.payload)
        at = datetime.fromisoformat(said["timestamp"])
        return UsageEvent(
            event_id=row.event_id,
            user_id=said["userId"],
            org_id=said["orgId"],
            provider=said["provider"],
            tokens=said["tokens"],
            allowed=said["allowed"],
            reason=said["reason"],
            at_us=(at - _EPOCH) // timedelta(microseconds=1),
        )
    except (ValueError, LookupError, TypeError):
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def queued_differences(event: UsageEvent, message: bytes) -> Iterator[Difference]:
    """What waits in the outbox under the event's id, where that is not the event."""
    try:
        said = json.loads(message)
    except ValueError:
        said = None
    if said != event.message():
        yield differing("the outbox", event, message.decode(errors="replace"))


def event_of(line: Entry) -> UsageEvent:
    """The event that a settle line told of. Raises ValueError for a line that names none."""
    note, owner = line.note, line.pool.owner
    if note.event_id is None or note.user_id is None:
        message = f"line {line.seq} of {owner} names no event"
        raise ValueError(message)
    return UsageEvent(
        event_id=note.event_id,
        user_id=note.user_id,
        org_id=owner.id if owner.kind is OwnerKind.ORG else None,
        provider=line.pool.provider,
        tokens=note.tokens,
        allowed=True,
        reason="",
        at_us=note.at_us,
    )


def missing(event: UsageEvent) -> Difference:
    """It is nowhere."""
    return Difference(
        kind=Mismatch.EVENT_MISSING,
        subject=f"event {event.event_id}",
        expected=f"in the outbox or in analytics: {shown(event)}",
        found="in neither",
        repair=Emit(event=event),
    )


def differing(where: str, expected: UsageEvent, found: str) -> Difference:
    """It is there and says something else."""
    return Difference(
        kind=Mismatch.EVENT_DIFFERS,
        subject=f"event {expected.event_id} in {where}",
        expected=shown(expected),
        found=found,
    )


def unknown(where: str, event: UsageEvent) -> Difference:
    """It is there and no line names it."""
    return Difference(
        kind=Mismatch.EVENT_UNKNOWN,
        subject=f"event {event.event_id} in {where}",
        expected="a settle line that names it",
        found=f"none; {shown(event)}",
    )


def shown(event: UsageEvent) -> str:
    """An event as a human reads it."""
    payer = f" for organisation {event.org_id}" if event.org_id else ""
    said = "" if event.allowed and not event.reason else f", allowed {event.allowed} {event.reason}"
    return (
        f"{event.tokens} tokens by {event.user_id}{payer}"
        f" at {event.provider}, {rfc3339(event.at_us)}{said}"
    )
