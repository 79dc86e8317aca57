"""Ends memberships."""

from dataclasses import dataclass

from svc_auth.domain.membership import Change
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations
from svc_auth.usecases.finish import finish
from svc_auth.usecases.membership_change import announce, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMember:
    """Ends a membership, one's own or another's, and has every cache drop it."""

    memberships: Memberships
    revocations: Revocations

    async def __call__(self, *, org_id: str, user_id: str, by: str) -> None:
        """`by` is the caller, empty for nobody.

        AppError ORG_NOT_FOUND or MEMBER_NOT_FOUND when there is nothing to end,
        LAST_OWNER for one that others need, or that wants to leave by itself.
        """
        refuse(await finish(self._remove(org_id, user_id, emptying=by != user_id)))

    async def _remove(self, org_id: str, user_id: str, *, emptying: bool) -> Change:
        change = await self.memberships.remove_member(org_id, user_id, emptying=emptying)
        if change is Change.DONE:
            announce(self.revocations, org_id, user_id)
        return change
