"""Withdraws invitations."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_INVITATION_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.record import Record
from svc_auth.organization_ports import Invitations
from svc_auth.usecases.membership_change import org_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteInvitation:
    """Withdraws an invitation that nobody has accepted."""

    invitations: Invitations
    clock: Clock

    async def __call__(self, caller: Caller, *, org_id: str, invitation_id: str) -> None:
        """AppError INVITATION_NOT_FOUND when there is none that may still be accepted."""
        now = self.clock.now_us()
        entry = org_entry(
            caller, Action.INVITATION_WITHDRAWN, org_id=org_id, at=now, detail=invitation_id
        )
        withdrawn = await self.invitations.withdraw_invitation(
            org_id, invitation_id, at=now, record=Record(entry=entry)
        )
        if not withdrawn:
            raise AppError(REASON_INVITATION_NOT_FOUND, "invitation not found")
