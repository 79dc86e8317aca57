"""Accepts invitations."""

from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.invitation import Acceptance, Invitation
from svc_auth.domain.membership import Standing
from svc_auth.domain.organization import Organization
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.user import User
from svc_auth.organization_ports import Invitations
from svc_auth.ports import Opaque, Revocations, Users
from svc_auth.usecases.get_organization import GetOrganization
from svc_auth.usecases.invite_member import invitation_entry
from svc_auth.usecases.membership_change import member_record

_REFUSALS = {
    Acceptance.GONE: (reason_pb2.REASON_INVITATION_NOT_FOUND, "invitation not found"),
    Acceptance.EXPIRED: (reason_pb2.REASON_INVITATION_EXPIRED, "the invitation has expired"),
    Acceptance.USED: (
        reason_pb2.REASON_INVITATION_USED,
        "the invitation was used, and the membership has ended",
    ),
    Acceptance.MEMBER: (reason_pb2.REASON_MEMBER_EXISTS, "the user is a member already"),
    Acceptance.FULL: (
        reason_pb2.REASON_MEMBER_LIMIT,
        "the organisation has as many members as it may have",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The membership that an invitation gave."""

    organization: Organization
    user_id: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptInvitation:
    """Makes the invited a member; the same user's next call has the same answer."""

    users: Users
    invitations: Invitations
    organization: GetOrganization
    revocations: Revocations
    opaque: Opaque
    policy: Callable[[], AuthPolicy]
    clock: Clock

    async def __call__(self, caller: Caller, *, token: str) -> Accepted:
        """Nobody, whom `local` lets through, stands for who has the invited address.

        AppError INVITATION_NOT_FOUND, INVITATION_FOR_ANOTHER, INVITATION_EXPIRED,
        INVITATION_USED, MEMBER_EXISTS, MEMBER_LIMIT or USER_NOT_FOUND.
        """
        invitation = await self.invitations.find_invitation(self.opaque.hash(token))
        if invitation is None:
            raise AppError(*_REFUSALS[Acceptance.GONE])
        user = await self._invited(invitation, caller.user_id)
        outcome = await self._accept(caller, invitation, user.id)
        if outcome in _REFUSALS:
            raise AppError(*_REFUSALS[outcome])
        organization = await self.organization(org_id=invitation.org_id)
        return Accepted(organization=organization, user_id=user.id, standing=invitation.standing)

    async def _invited(self, invitation: Invitation, user_id: str) -> User:
        if not user_id:
            user = await self.users.find_email(invitation.email)
        else:
            user = await self.users.find_user(user_id)
        if user is None:
            raise AppError(reason_pb2.REASON_USER_NOT_FOUND, "user not found")
        if not invitation.is_for(user.email):
            message = "the invitation is for another address than the caller's"
            raise AppError(reason_pb2.REASON_INVITATION_FOR_ANOTHER, message)
        return user

    async def _accept(self, caller: Caller, invitation: Invitation, user_id: str) -> Acceptance:
        now = self.clock.now_us()
        entry = invitation_entry(
            caller, Action.INVITATION_ACCEPTED, invitation, now, user_id=user_id
        )
        outcome = await self.invitations.accept(
            invitation.id,
            user_id,
            at=now,
            most=self.policy().organizations.members,
            record=member_record(entry),
        )
        self.revocations.announce()
        return outcome
