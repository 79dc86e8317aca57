"""Begins organisations."""

from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_ORG_LIMIT
from mesh.clock import Clock, Ids
from mesh.errors import AppError, invalid
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.membership import Standing
from svc_auth.domain.organization import Organization, OwnOrganization
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.text import name_problem
from svc_auth.organization_ports import Organizations
from svc_auth.usecases.membership_change import org_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrganization:
    """Begins an organisation that its creator owns."""

    organizations: Organizations
    policy: Callable[[], AuthPolicy]
    clock: Clock
    ids: Ids

    async def __call__(self, caller: Caller, *, name: str) -> OwnOrganization:
        """The organisation as the caller sees it, who owns it; without one nobody does yet.

        AppError INVALID_ARGUMENT for the name, ORG_LIMIT for an owner of many.
        """
        problem = name_problem(name)
        if problem is not None:
            raise invalid("name", problem)
        organization = Organization(id=self.ids.new(), name=name, created_at=self.clock.now_us())
        entry = org_entry(
            caller,
            Action.ORG_CREATED,
            org_id=organization.id,
            user_id=caller.user_id,
            at=organization.created_at,
        )
        most = self.policy().organizations.owned
        added = await self.organizations.add_organization(
            organization, caller.user_id or None, most=most, record=Record(entry=entry)
        )
        if not added:
            message = f"a user may own {most} organisations when it begins another"
            raise AppError(REASON_ORG_LIMIT, message)
        return OwnOrganization(organization=organization, standing=Standing.OWNER)
