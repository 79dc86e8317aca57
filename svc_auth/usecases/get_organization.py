"""Looks up organisations."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_ORG_NOT_FOUND
from mesh.errors import AppError
from svc_auth.domain.organization import Organization
from svc_auth.organization_ports import Organizations


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOrganization:
    """One organisation."""

    organizations: Organizations

    async def __call__(self, *, org_id: str) -> Organization:
        """The organisation; AppError ORG_NOT_FOUND when there is none."""
        found = await self.organizations.find_organization(org_id)
        if found is None:
            raise AppError(REASON_ORG_NOT_FOUND, "organisation not found")
        return found
