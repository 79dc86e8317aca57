"""What is written beside an effect, in the effect's own transaction."""

from dataclasses import dataclass

from svc_auth.domain.audit import AuditEntry
from svc_auth.domain.revocation import Revocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The audit log's line and what the effect revokes; nothing of it when nothing changed."""

    entry: AuditEntry
    revocations: tuple[Revocation, ...] = ()
