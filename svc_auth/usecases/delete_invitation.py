"""Withdraws invitations."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_INVITATION_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.organization_ports import Invitations


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteInvitation:
    """Withdraws an invitation that nobody has accepted."""

    invitations: Invitations
    clock: Clock

    async def __call__(self, *, org_id: str, invitation_id: str) -> None:
        """AppError INVITATION_NOT_FOUND when there is none that may still be accepted."""
        now = self.clock.now_us()
        if not await self.invitations.withdraw_invitation(org_id, invitation_id, at=now):
            raise AppError(REASON_INVITATION_NOT_FOUND, "invitation not found")
