"""Hands ownership on."""

from dataclasses import dataclass

from svc_auth.domain.membership import Change
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations
from svc_auth.usecases.finish import finish
from svc_auth.usecases.membership_change import announce, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOwnership:
    """Makes a member an owner and whoever gave that away a plain member, in one step."""

    memberships: Memberships
    revocations: Revocations

    async def __call__(self, *, org_id: str, giver: str, taker: str) -> None:
        """A giver that is no owner, such as an ADMIN, gives for all who are.

        AppError ORG_NOT_FOUND, or MEMBER_NOT_FOUND for a taker who is none.
        """
        refuse(await finish(self._transfer(org_id, giver, taker)))

    async def _transfer(self, org_id: str, giver: str, taker: str) -> Change:
        change, users = await self.memberships.transfer(org_id, giver=giver, taker=taker)
        announce(self.revocations, org_id, *users)
        return change
