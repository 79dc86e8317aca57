"""What is written beside an effect: the audit log's line and what the effect revokes."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_auth.domain.audit import AuditEntry
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import Kind, Revocation
from svc_auth.stores.sql_logins import end_logins, mark_client
from svc_auth.stores.tables import AUDIT_LOG, REVOCATIONS

# A user's tokens end by their times of issue; what makes new ones must end too.
_ENDS_LOGINS = {Kind.USER, Kind.SESSIONS}


async def write_down(connection: AsyncConnection, record: Record) -> None:
    """Into the effect's own transaction."""
    await append(connection, record.entry)
    for one in record.revocations:
        await revoke(connection, one)


async def revoke(connection: AsyncConnection, revoked: Revocation) -> None:
    """One more revocation, and what ends here with it."""
    if revoked.kind in _ENDS_LOGINS:
        await end_logins(connection, revoked.subject, at=revoked.at)
    elif revoked.kind is Kind.CLIENT:
        await mark_client(connection, revoked.subject, at=revoked.at)
    await add(connection, revoked)


async def add(connection: AsyncConnection, revoked: Revocation) -> None:
    """One more revocation."""
    row = {"kind": revoked.kind, "subject": revoked.subject}
    times = {"at": revoked.at, "until": revoked.until}
    await connection.execute(insert(REVOCATIONS).values(**row, **times))


async def append(connection: AsyncConnection, entry: AuditEntry) -> None:
    """One more line in the audit log."""
    caller = entry.caller
    await connection.execute(
        insert(AUDIT_LOG).values(
            at=entry.at,
            actor=caller.actor,
            api_key_id=caller.api_key_id,
            action=entry.action,
            subject_kind=entry.subject_kind,
            subject_id=entry.subject_id,
            user_id=entry.user_id,
            outcome=entry.outcome,
            detail=entry.detail,
            # Ours by form, and a client's by origin: none may be too long for its column.
            address=caller.address[:64],
            correlation_id=caller.correlation_id[:128],
            trace_id=caller.trace_id[:32],
        )
    )
