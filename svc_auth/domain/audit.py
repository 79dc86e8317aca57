"""What the audit log says: who did what to which, from where, with what outcome, and when."""

from dataclasses import dataclass
from enum import StrEnum

from svc_auth.domain.caller import Caller


class Action(StrEnum):
    """What is written down."""

    USER_REGISTERED = "USER_REGISTERED"
    USER_DISABLED = "USER_DISABLED"
    USER_ENABLED = "USER_ENABLED"
    ROLE_GRANTED = "ROLE_GRANTED"
    ROLE_REVOKED = "ROLE_REVOKED"
    LOGIN = "LOGIN"
    LOGOUT = "LOGOUT"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 a word
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 a word
    API_KEY_CREATED = "API_KEY_CREATED"
    API_KEY_ROTATED = "API_KEY_ROTATED"
    API_KEY_REVOKED = "API_KEY_REVOKED"
    MEMBER_PUT = "MEMBER_PUT"
    MEMBER_REMOVED = "MEMBER_REMOVED"
    MEMBER_ROLE_SET = "MEMBER_ROLE_SET"
    ORG_CREATED = "ORG_CREATED"
    ORG_RENAMED = "ORG_RENAMED"
    OWNERSHIP_TRANSFERRED = "OWNERSHIP_TRANSFERRED"
    INVITATION_CREATED = "INVITATION_CREATED"
    INVITATION_WITHDRAWN = "INVITATION_WITHDRAWN"
    INVITATION_ACCEPTED = "INVITATION_ACCEPTED"
    OAUTH_CLIENT_CREATED = "OAUTH_CLIENT_CREATED"
    OAUTH_CLIENT_REMOVED = "OAUTH_CLIENT_REMOVED"
    OAUTH_SECRET_ROTATED = "OAUTH_SECRET_ROTATED"  # noqa: S105 a word
    OAUTH_CONSENT_GIVEN = "OAUTH_CONSENT_GIVEN"
    OAUTH_CONSENT_WITHDRAWN = "OAUTH_CONSENT_WITHDRAWN"
    OAUTH_GRANT_REVOKED = "OAUTH_GRANT_REVOKED"
    OAUTH_TOKEN_REVOKED = "OAUTH_TOKEN_REVOKED"  # noqa: S105 a word
    SIGNING_KEY_MADE = "SIGNING_KEY_MADE"


class SubjectKind(StrEnum):
    """What a thing is that something is done to."""

    USER = "USER"
    API_KEY = "API_KEY"
    TOKEN = "TOKEN"  # noqa: S105 a word
    ORGANIZATION = "ORGANIZATION"
    OAUTH_CLIENT = "OAUTH_CLIENT"
    SIGNING_KEY = "SIGNING_KEY"


class Outcome(StrEnum):
    """Whether it was done."""

    DONE = "DONE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the log; `at` is in microseconds.

    `user_id` is the user whom it concerns: who a key belongs to, who became a
    member; empty for nobody known. `detail` is a word of ours, such as a role
    or an error's reason, and never what somebody typed: people type passwords
    where names belong.
    """

    caller: Caller
    action: Action
    subject_kind: SubjectKind
    subject_id: str
    at: int
    user_id: str = ""
    outcome: Outcome = Outcome.DONE
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """An entry with its place in the log; places grow, and may leave gaps."""

    seq: int
    entry: AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which entries: None does not narrow. `user` acted, or is concerned; times in microseconds."""

    user: str | None = None
    action: Action | None = None
    since: int | None = None
    until: int | None = None
