"""What all changes of memberships have in common: their announcement, and their refusals."""

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError
from svc_auth.domain import membership
from svc_auth.domain.membership import Change
from svc_auth.domain.revocation import Kind
from svc_auth.ports import Revocations

_REFUSALS = {
    Change.NO_ORG: (reason_pb2.REASON_ORG_NOT_FOUND, "organisation not found"),
    Change.NO_MEMBER: (reason_pb2.REASON_MEMBER_NOT_FOUND, "member not found"),
    Change.LAST_OWNER: (
        reason_pb2.REASON_LAST_OWNER,
        "the organisation would be left without an owner",
    ),
    Change.FULL: (
        reason_pb2.REASON_MEMBER_LIMIT,
        "the organisation has as many members as it may have",
    ),
}


def announce(revocations: Revocations, org_id: str, *user_ids: str) -> None:
    """Has every cache drop memberships that changed.

    New ones, too: they may be remembered elsewhere as ones that are not.
    """
    for user_id in user_ids:
        revocations.publish(Kind.MEMBERSHIP, membership.subject(org_id, user_id))


def refuse(change: Change) -> None:
    """AppError for a change that was not made."""
    if change in _REFUSALS:
        raise AppError(*_REFUSALS[change])
