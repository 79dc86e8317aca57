"""Hands ownership on."""

from dataclasses import dataclass
from functools import partial

from mesh.clock import Clock
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations
from svc_auth.usecases.membership_change import member_record, org_entry, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOwnership:
    """Makes a member an owner and whoever gave that away a plain member, in one step."""

    memberships: Memberships
    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, *, org_id: str, taker: str, for_all: bool) -> None:
        """A caller that is no owner gives for all who are, if it may, as an ADMIN does: `for_all`.

        AppError ORG_NOT_FOUND, MEMBER_NOT_FOUND for a taker who is none, or
        PERMISSION_DENIED for who is no owner, whatever it was a moment ago.
        """
        entry = org_entry(
            caller,
            Action.OWNERSHIP_TRANSFERRED,
            org_id=org_id,
            user_id=taker,
            at=self.clock.now_us(),
        )
        change = await self.memberships.transfer(
            org_id,
            giver=caller.user_id,
            taker=taker,
            for_all=for_all,
            record=partial(member_record, entry),
        )
        refuse(change)
        self.revocations.announce()
