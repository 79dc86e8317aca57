"""Makes members something else."""

from dataclasses import dataclass

from svc_auth.domain.membership import Change, Standing
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations
from svc_auth.usecases.finish import finish
from svc_auth.usecases.membership_change import announce, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMemberRole:
    """Changes a member's standing; what it may not do any more ends at once."""

    memberships: Memberships
    revocations: Revocations

    async def __call__(self, *, org_id: str, user_id: str, standing: Standing) -> None:
        """AppError ORG_NOT_FOUND, MEMBER_NOT_FOUND or LAST_OWNER."""
        refuse(await finish(self._set(org_id, user_id, standing)))

    async def _set(self, org_id: str, user_id: str, standing: Standing) -> Change:
        change = await self.memberships.set_standing(org_id, user_id, standing)
        if change is Change.DONE:
            announce(self.revocations, org_id, user_id)
        return change
