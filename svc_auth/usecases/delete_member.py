"""Ends memberships."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations
from svc_auth.usecases.membership_change import member_record, org_entry, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMember:
    """Ends a membership, one's own or another's, and has every cache drop it."""

    memberships: Memberships
    revocations: Revocations
    clock: Clock

    async def __call__(
        self, caller: Caller, *, org_id: str, user_id: str, leaving: bool = False
    ) -> None:
        """`leaving` says that the user ends it itself, whoever may have asked for that.

        AppError ORG_NOT_FOUND or MEMBER_NOT_FOUND when there is nothing to end,
        LAST_OWNER for one that others need, or that wants to leave by itself.
        """
        entry = org_entry(
            caller,
            Action.MEMBER_REMOVED,
            org_id=org_id,
            user_id=user_id,
            at=self.clock.now_us(),
        )
        by_itself = leaving or caller.user_id == user_id
        change = await self.memberships.remove_member(
            org_id, user_id, emptying=not by_itself, record=member_record(entry)
        )
        refuse(change)
        self.revocations.announce()
