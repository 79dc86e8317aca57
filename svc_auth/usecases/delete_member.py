"""Ends memberships."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_MEMBER_NOT_FOUND, REASON_ORG_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain import membership, revocation
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.membership import Removal
from svc_auth.domain.record import Record
from svc_auth.ports import Organizations, Revocations


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMember:
    """Ends a membership and has every cache drop it."""

    organizations: Organizations
    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, *, org_id: str, user_id: str) -> None:
        """AppError ORG_NOT_FOUND or MEMBER_NOT_FOUND when there is nothing to end."""
        record = member_record(
            caller, Action.MEMBER_REMOVED, org_id=org_id, user_id=user_id, at=self.clock.now_us()
        )
        match await self.organizations.remove_member(org_id, user_id, record=record):
            case Removal.NO_ORG:
                raise AppError(REASON_ORG_NOT_FOUND, "organisation not found")
            case Removal.NO_MEMBER:
                raise AppError(REASON_MEMBER_NOT_FOUND, "member not found")
            case Removal.DONE:
                self.revocations.announce()


def member_record(caller: Caller, action: Action, *, org_id: str, user_id: str, at: int) -> Record:
    """What a change of a membership leaves behind."""
    entry = AuditEntry(
        caller=caller,
        action=action,
        subject_kind=SubjectKind.ORGANIZATION,
        subject_id=org_id,
        user_id=user_id,
        at=at,
    )
    subject = membership.subject(org_id, user_id)
    return Record(entry=entry, revocations=(revocation.of_membership(subject, at=at),))
