"""Invites people into organisations."""

from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1 import reason_pb2
from mesh.clock import Clock, Ids
from mesh.errors import AppError, invalid
from svc_auth.domain.audit import Action, AuditEntry
from svc_auth.domain.caller import Caller
from svc_auth.domain.invitation import Invitation, Invited, token_text
from svc_auth.domain.membership import Standing
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.text import email_problem
from svc_auth.organization_ports import Invitations
from svc_auth.ports import Opaque
from svc_auth.usecases.membership_change import org_entry

_REFUSALS = {
    Invited.NO_ORG: (reason_pb2.REASON_ORG_NOT_FOUND, "organisation not found"),
    Invited.MEMBER: (reason_pb2.REASON_MEMBER_EXISTS, "who has this address is a member already"),
    Invited.FULL: (
        reason_pb2.REASON_INVITATION_LIMIT,
        "the organisation has as many open invitations as it may have",
    ),
}


def invitation_entry(
    caller: Caller, action: Action, invitation: Invitation, at: int, *, user_id: str = ""
) -> AuditEntry:
    """The audit log's line about an invitation; never its address, nor its token."""
    return org_entry(
        caller,
        action,
        org_id=invitation.org_id,
        user_id=user_id,
        at=at,
        detail=f"{invitation.standing} {invitation.id}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteMember:
    """Makes an invitation whose token leaves once and is kept as a hash alone."""

    invitations: Invitations
    opaque: Opaque
    policy: Callable[[], AuthPolicy]
    clock: Clock
    ids: Ids

    async def __call__(
        self, caller: Caller, *, org_id: str, email: str, standing: Standing
    ) -> tuple[Invitation, str]:
        """The invitation and its token.

        AppError INVALID_ARGUMENT, ORG_NOT_FOUND, MEMBER_EXISTS or INVITATION_LIMIT.
        """
        problem = email_problem(email)
        if problem is not None:
            raise invalid("email", problem)
        now, limits = self.clock.now_us(), self.policy().organizations
        invitation = Invitation(
            id=self.ids.new(),
            org_id=org_id,
            email=email,
            standing=standing,
            invited_by=caller.user_id or None,
            created_at=now,
            expires_at=now + limits.invitation_lifetime,
        )
        token = token_text(self.opaque.new_secret())
        outcome = await self.invitations.add_invitation(
            invitation,
            self.opaque.hash(token),
            most=limits.invitations,
            record=Record(
                entry=invitation_entry(caller, Action.INVITATION_CREATED, invitation, now)
            ),
        )
        if outcome in _REFUSALS:
            raise AppError(*_REFUSALS[outcome])
        return invitation, token
