"""Renames organisations."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_ORG_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError, invalid
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.organization import Organization
from svc_auth.domain.record import Record
from svc_auth.domain.text import name_problem
from svc_auth.organization_ports import Organizations
from svc_auth.usecases.membership_change import org_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameOrganization:
    """Gives an organisation another name."""

    organizations: Organizations
    clock: Clock

    async def __call__(self, caller: Caller, *, org_id: str, name: str) -> Organization:
        """The organisation; AppError INVALID_ARGUMENT or ORG_NOT_FOUND."""
        problem = name_problem(name)
        if problem is not None:
            raise invalid("name", problem)
        now = self.clock.now_us()
        entry = org_entry(caller, Action.ORG_RENAMED, org_id=org_id, at=now)
        renamed = await self.organizations.rename(org_id, name, record=Record(entry=entry))
        if renamed is None:
            raise AppError(REASON_ORG_NOT_FOUND, "organisation not found")
        return renamed
