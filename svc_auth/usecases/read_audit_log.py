"""Reads the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass

from mesh.errors import invalid
from svc_auth.domain.audit import Action, AuditLine, AuditQuery
from svc_auth.ports import Audit


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAuditLog:
    """The newest lines that fit, newest first."""

    audit: Audit

    async def __call__(
        self,
        *,
        user: str | None,
        action: str | None,
        since: int | None,
        until: int | None,
        before: int | None,
        limit: int,
    ) -> Sequence[AuditLine]:
        """Times in microseconds. AppError INVALID_ARGUMENT for an action that there is not."""
        if action is not None and action not in Action.__members__:
            raise invalid("action", "must be one of " + ", ".join(Action))
        query = AuditQuery(
            user=user,
            action=None if action is None else Action(action),
            since=since,
            until=until,
        )
        return await self.audit.lines(query, before=before, limit=limit)
