"""Lists members."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_auth.domain.membership import Member
from svc_auth.organization_ports import Memberships
from svc_auth.usecases.get_organization import GetOrganization


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMembers:
    """Everybody who belongs to an organisation."""

    memberships: Memberships
    organization: GetOrganization

    async def __call__(self, *, org_id: str) -> Sequence[Member]:
        """Oldest membership first; AppError ORG_NOT_FOUND when there is none."""
        members = await self.memberships.members_of(org_id)
        if not members:
            await self.organization(org_id=org_id)
        return members
