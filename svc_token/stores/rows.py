"""Values of the domain as rows, and back."""

from dataclasses import fields
from typing import Any

import orjson
from sqlalchemy import Row

from svc_token.domain.entry import Entry, Kind, Note, Provenance
from svc_token.domain.events import Event, OutboxRow, UsageEvent
from svc_token.domain.idempotency import Key
from svc_token.domain.idempotency import Operation as Keyed
from svc_token.domain.member import MemberCap
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import Hold, Pool
from svc_token.domain.reservation import Reservation, State
from svc_token.domain.saga import Saga, Status, Step
from svc_token.domain.shards import shard_of
from svc_token.stores.topics import Topics

# What a StrEnum's own look-up does in two calls of Python.
_STATES = {state.value: state for state in State}


def pool_row(pool: Pool) -> dict[str, Any]:
    """A row of POOLS."""
    return {
        "owner": str(pool.key.owner),
        "provider": pool.key.provider,
        "window": pool.window,
        "allowance": pool.allowance,
        "allowance_used": pool.allowance_used,
        "purchased": pool.purchased,
        "purchased_used": pool.purchased_used,
        "debt": pool.debt,
        "updated_us": pool.updated_us,
        "seq": pool.seq,
    }


def pool_from(row: Row[Any]) -> Pool:
    """The pool of a row."""
    return Pool(
        key=PoolKey(Owner.parse(row.owner), row.provider),
        window=row.window,
        allowance=row.allowance,
        allowance_used=row.allowance_used,
        purchased=row.purchased,
        purchased_used=row.purchased_used,
        debt=row.debt,
        updated_us=row.updated_us,
        seq=row.seq,
    )


def cap_row(cap: MemberCap) -> dict[str, Any]:
    """A row of MEMBER_CAPS."""
    return {
        "owner": str(cap.pool.owner),
        "provider": cap.pool.provider,
        "user_id": cap.user_id,
        "cap": cap.cap,
        "window": cap.window,
        "used": cap.used,
        "updated_us": cap.updated_us,
    }


def cap_from(row: Row[Any]) -> MemberCap:
    """The cap of a row."""
    return MemberCap(
        pool=PoolKey(Owner.parse(row.owner), row.provider),
        user_id=row.user_id,
        cap=row.cap,
        window=row.window,
        used=row.used,
        updated_us=row.updated_us,
    )


def entry_row(entry: Entry) -> dict[str, Any]:
    """A row of LEDGER."""
    note = entry.note
    return {
        "owner": str(entry.pool.owner),
        "provider": entry.pool.provider,
        "seq": entry.seq,
        "kind": str(note.kind),
        "ref": note.ref,
        "user_id": note.user_id,
        "tokens": note.tokens,
        "held": note.held,
        "window": entry.window,
        "allowance": entry.allowance,
        "allowance_used": entry.allowance_used,
        "purchased": entry.purchased,
        "purchased_used": entry.purchased_used,
        "debt": entry.debt,
        "provenance": str(note.provenance),
        "event_id": note.event_id,
        "at_us": note.at_us,
    }


def entry_from(row: Row[Any]) -> Entry:
    """The line of a row."""
    note = Note(
        kind=Kind(row.kind),
        tokens=row.tokens,
        at_us=row.at_us,
        ref=row.ref,
        user_id=row.user_id,
        held=row.held,
        provenance=Provenance(row.provenance),
        event_id=row.event_id,
    )
    return Entry(
        pool=PoolKey(Owner.parse(row.owner), row.provider),
        seq=row.seq,
        note=note,
        window=row.window,
        allowance=row.allowance,
        allowance_used=row.allowance_used,
        purchased=row.purchased,
        purchased_used=row.purchased_used,
        debt=row.debt,
    )


def reservation_row(reservation: Reservation) -> dict[str, Any]:
    """A row of RESERVATIONS."""
    return {
        "owner": str(reservation.pool.owner),
        "id": reservation.id,
        "provider": reservation.pool.provider,
        "user_id": reservation.user_id,
        "window": reservation.hold.window,
        "held_allowance": reservation.hold.allowance,
        "held_purchased": reservation.hold.purchased,
        "state": str(reservation.state),
        "expires_us": reservation.expires_us,
        "settled": reservation.settled,
        "remaining": reservation.remaining,
        "end_remaining": reservation.end_remaining,
        "bucket_us": reservation.bucket_us,
    }


def reservation_from(row: Row[Any]) -> Reservation:
    """The reservation of a row."""
    return Reservation(
        id=row.id,
        pool=PoolKey(Owner.parse(row.owner), row.provider),
        user_id=row.user_id,
        hold=Hold(row.window, row.held_allowance, row.held_purchased),
        state=_STATES[row.state],
        expires_us=row.expires_us,
        settled=row.settled,
        remaining=row.remaining,
        end_remaining=row.end_remaining,
        bucket_us=row.bucket_us,
    )


def key_row(key: Key) -> dict[str, Any]:
    """The key of a row of IDEMPOTENCY_KEYS."""
    return {"scope": key.scope, "operation": key.operation.value, "key": key.key}


def key_from(row: Row[Any]) -> Key:
    """The key that a row stands under."""
    return Key(scope=row.scope, operation=Keyed(row.operation), key=row.key)


def saga_row(saga: Saga) -> dict[str, Any]:
    """A row of SAGAS."""
    row = {field.name: getattr(saga, field.name) for field in fields(saga)}
    return {**row, "status": saga.status.value, "step": saga.step.value}


def saga_from(row: Row[Any]) -> Saga:
    """The saga of a row."""
    values = {field.name: getattr(row, field.name) for field in fields(Saga)}
    return Saga(**{**values, "status": Status(row.status), "step": Step(row.step)})


def message_of(event: Event, topics: Topics) -> OutboxRow:
    """An event as the message that is sent of it; the key keeps an owner's events in order."""
    return OutboxRow(
        seq=0,
        event_id=event.event_id,
        topic=topics.usage if isinstance(event, UsageEvent) else topics.purchases,
        key=str(Owner.of(event.user_id, event.org_id)),
        payload=orjson.dumps(event.message()),
        traceparent=event.traceparent,
    )


def event_row(event: Event, topics: Topics) -> dict[str, Any]:
    """A row of OUTBOX."""
    message = message_of(event, topics)
    return {
        "event_id": message.event_id,
        "topic": message.topic,
        "key": message.key,
        "payload": message.payload,
        "shard": shard_of(message.key),
        "at_us": event.at_us,
        "parked": False,
        "parked_us": None,
        "behind": False,
        "traceparent": message.traceparent or None,
    }


def outbox_from(row: Row[Any]) -> OutboxRow:
    """The message of a row."""
    return OutboxRow(
        seq=row.seq,
        event_id=row.event_id,
        topic=row.topic,
        key=row.key,
        payload=row.payload,
        traceparent=row.traceparent or "",
    )
