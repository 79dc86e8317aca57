"""Looks up memberships."""

from dataclasses import dataclass

from svc_auth.domain.membership import Standing
from svc_auth.organization_ports import Memberships


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMembership:
    """Whether a user belongs to an organisation, and as what."""

    memberships: Memberships

    async def __call__(self, *, org_id: str, user_id: str) -> Standing | None:
        """The standing; None is an answer, not an error."""
        return await self.memberships.find_standing(org_id, user_id)
