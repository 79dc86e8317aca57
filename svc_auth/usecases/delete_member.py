"""Ends memberships."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_MEMBER_NOT_FOUND, REASON_ORG_NOT_FOUND
from mesh.errors import AppError
from svc_auth.domain import membership
from svc_auth.domain.membership import Removal
from svc_auth.domain.revocation import Kind
from svc_auth.ports import Organizations, Revocations
from svc_auth.usecases.finish import finish


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMember:
    """Ends a membership and has every cache drop it."""

    organizations: Organizations
    revocations: Revocations

    async def __call__(self, *, org_id: str, user_id: str) -> None:
        """AppError ORG_NOT_FOUND or MEMBER_NOT_FOUND when there is nothing to end."""
        match await finish(self._remove(org_id, user_id)):
            case Removal.NO_ORG:
                raise AppError(REASON_ORG_NOT_FOUND, "organisation not found")
            case Removal.NO_MEMBER:
                raise AppError(REASON_MEMBER_NOT_FOUND, "member not found")
            case Removal.DONE:
                return

    async def _remove(self, org_id: str, user_id: str) -> Removal:
        removal = await self.organizations.remove_member(org_id, user_id)
        if removal is Removal.DONE:
            self.revocations.publish(Kind.MEMBERSHIP, membership.subject(org_id, user_id))
        return removal
