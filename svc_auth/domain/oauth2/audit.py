"""What the audit log says of OAuth2."""

from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller

CODE_REUSED = "CODE_REUSED"
CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 a word


def client_entry(
    caller: Caller, action: Action, client_id: str, *, at: int, user_id: str = "", detail: str = ""
) -> AuditEntry:
    """A line about a client, and about the user whose consent or tokens it has."""
    return AuditEntry(
        caller=caller,
        action=action,
        subject_kind=SubjectKind.OAUTH_CLIENT,
        subject_id=client_id,
        user_id=user_id,
        at=at,
        detail=detail,
    )
