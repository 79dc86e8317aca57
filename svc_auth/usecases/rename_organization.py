"""Renames organisations."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_ORG_NOT_FOUND
from mesh.errors import AppError, invalid
from svc_auth.domain.organization import Organization
from svc_auth.domain.text import name_problem
from svc_auth.organization_ports import Organizations


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameOrganization:
    """Gives an organisation another name."""

    organizations: Organizations

    async def __call__(self, *, org_id: str, name: str) -> Organization:
        """The organisation; AppError INVALID_ARGUMENT or ORG_NOT_FOUND."""
        problem = name_problem(name)
        if problem is not None:
            raise invalid("name", problem)
        renamed = await self.organizations.rename(org_id, name)
        if renamed is None:
            raise AppError(REASON_ORG_NOT_FOUND, "organisation not found")
        return renamed
