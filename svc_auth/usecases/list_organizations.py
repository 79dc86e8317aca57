"""Lists organisations."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_auth.domain.organization import OwnOrganization
from svc_auth.organization_ports import Organizations


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOrganizations:
    """What a user belongs to."""

    organizations: Organizations

    async def __call__(self, *, user_id: str) -> Sequence[OwnOrganization]:
        """Oldest membership first; none for an unknown user."""
        return await self.organizations.organizations_of(user_id)
