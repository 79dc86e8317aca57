"""The audit log, to which everything that changes something adds its line."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, or_, select

from mesh.storage.database import Database
from svc_auth.domain.audit import (
    Action,
    AuditEntry,
    AuditLine,
    AuditQuery,
    Outcome,
    SubjectKind,
)
from svc_auth.domain.caller import Caller
from svc_auth.stores.sql_record import append
from svc_auth.stores.tables import AUDIT_LOG


class SqlAudit:
    """Implements Audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, entry: AuditEntry) -> None:
        """Writes down what changed nothing."""
        async with self._database.write() as connection:
            await append(connection, entry)

    async def lines(
        self, query: AuditQuery, *, before: int | None, limit: int
    ) -> Sequence[AuditLine]:
        """The newest lines before that place, newest first."""
        wanted = _narrowed(select(AUDIT_LOG), query)
        if before is not None:
            wanted = wanted.where(AUDIT_LOG.c.seq < before)
        newest = wanted.order_by(AUDIT_LOG.c.seq.desc()).limit(limit)
        async with self._database.read() as connection:
            return [_line(row) for row in await connection.execute(newest)]


def _narrowed(wanted: Select[Any], query: AuditQuery) -> Select[Any]:
    log = AUDIT_LOG.c
    if query.user is not None:
        wanted = wanted.where(or_(log.actor == query.user, log.user_id == query.user))
    if query.action is not None:
        wanted = wanted.where(log.action == query.action)
    if query.since is not None:
        wanted = wanted.where(log.at >= query.since)
    if query.until is not None:
        wanted = wanted.where(log.at < query.until)
    return wanted


def _line(row: Row[Any]) -> AuditLine:
    caller = Caller(
        actor=row.actor,
        api_key_id=row.api_key_id,
        address=row.address,
        correlation_id=row.correlation_id,
        trace_id=row.trace_id,
    )
    entry = AuditEntry(
        caller=caller,
        action=Action(row.action),
        subject_kind=SubjectKind(row.subject_kind),
        subject_id=row.subject_id,
        at=row.at,
        user_id=row.user_id,
        outcome=Outcome(row.outcome),
        detail=row.detail,
    )
    return AuditLine(seq=row.seq, entry=entry)
