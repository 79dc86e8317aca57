"""What a change of a user is written down as, and what it answers."""

from leaky.common.v1.reason_pb2 import REASON_USER_NOT_FOUND
from mesh.errors import AppError
from svc_auth.domain.audit import Action, AuditEntry, Outcome, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.ports import Change


def user_entry(
    caller: Caller,
    action: Action,
    user_id: str,
    *,
    at: int,
    detail: str = "",
    outcome: Outcome = Outcome.DONE,
) -> AuditEntry:
    """A line about a user."""
    return AuditEntry(
        caller=caller,
        action=action,
        subject_kind=SubjectKind.USER,
        subject_id=user_id,
        user_id=user_id,
        at=at,
        detail=detail,
        outcome=outcome,
    )


def no_user() -> AppError:
    """A 404."""
    return AppError(REASON_USER_NOT_FOUND, "user not found")


def known(change: Change) -> bool:
    """Whether something changed. AppError USER_NOT_FOUND when there is no such user."""
    if change is Change.NO_USER:
        raise no_user()
    return change is Change.DONE
