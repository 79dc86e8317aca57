"""What all changes of memberships have in common: their record, and their refusals."""

from collections.abc import Collection

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError
from svc_auth.domain import membership, revocation
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.membership import Change
from svc_auth.domain.record import Record

_REFUSALS = {
    Change.NO_ORG: (reason_pb2.REASON_ORG_NOT_FOUND, "organisation not found"),
    Change.NO_MEMBER: (reason_pb2.REASON_MEMBER_NOT_FOUND, "member not found"),
    Change.NO_OWNER: (
        reason_pb2.REASON_PERMISSION_DENIED,
        "only an owner of the organisation gives its ownership away",
    ),
    Change.LAST_OWNER: (
        reason_pb2.REASON_LAST_OWNER,
        "the organisation would be left without an owner",
    ),
    Change.FULL: (
        reason_pb2.REASON_MEMBER_LIMIT,
        "the organisation has as many members as it may have",
    ),
}


def org_entry(
    caller: Caller, action: Action, *, org_id: str, at: int, user_id: str = "", detail: str = ""
) -> AuditEntry:
    """The audit log's line about an organisation."""
    return AuditEntry(
        caller=caller,
        action=action,
        subject_kind=SubjectKind.ORGANIZATION,
        subject_id=org_id,
        user_id=user_id,
        at=at,
        detail=detail,
    )


def member_record(entry: AuditEntry, changed: Collection[str] = ()) -> Record:
    """What a change of memberships leaves behind: of the entry's user, unless others `changed`.

    A membership that is new is revoked, too: it may be cached elsewhere as one that is not.
    """
    subjects = [membership.subject(entry.subject_id, one) for one in changed or (entry.user_id,)]
    revocations = tuple(revocation.of_membership(one, at=entry.at) for one in sorted(subjects))
    return Record(entry=entry, revocations=revocations)


def refuse(change: Change) -> None:
    """AppError for a change that was not made."""
    if change in _REFUSALS:
        raise AppError(*_REFUSALS[change])
