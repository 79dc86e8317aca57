"""Lists invitations."""

from collections.abc import Sequence
from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.invitation import Invitation
from svc_auth.organization_ports import Invitations
from svc_auth.usecases.get_organization import GetOrganization


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInvitations:
    """The invitations that may still be accepted."""

    invitations: Invitations
    organization: GetOrganization
    clock: Clock

    async def __call__(self, *, org_id: str) -> Sequence[Invitation]:
        """Oldest first; AppError ORG_NOT_FOUND when there is no such organisation."""
        found = await self.invitations.invitations_of(org_id, at=self.clock.now_us())
        if not found:
            await self.organization(org_id=org_id)
        return found
