"""Makes members something else."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.membership import Standing
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations
from svc_auth.usecases.membership_change import member_record, org_entry, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMemberRole:
    """Changes a member's standing; what it may not do any more ends at once."""

    memberships: Memberships
    revocations: Revocations
    clock: Clock

    async def __call__(
        self, caller: Caller, *, org_id: str, user_id: str, standing: Standing
    ) -> None:
        """AppError ORG_NOT_FOUND, MEMBER_NOT_FOUND or LAST_OWNER."""
        entry = org_entry(
            caller,
            Action.MEMBER_ROLE_SET,
            org_id=org_id,
            user_id=user_id,
            at=self.clock.now_us(),
            detail=standing,
        )
        change = await self.memberships.set_standing(
            org_id, user_id, standing, record=member_record(entry)
        )
        refuse(change)
        self.revocations.announce()
