"""Makes members."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.membership import Change
from svc_auth.domain.policy import AuthPolicy
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations, Users
from svc_auth.usecases.finish import finish
from svc_auth.usecases.known_user import require_user
from svc_auth.usecases.membership_change import announce, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class PutMember:
    """Makes a user a member; the first one of an organisation begins and owns it."""

    users: Users
    memberships: Memberships
    revocations: Revocations
    policy: Callable[[], AuthPolicy]
    clock: Clock

    async def __call__(self, *, org_id: str, user_id: str) -> None:
        """AppError MEMBER_LIMIT, or USER_NOT_FOUND where the policy asks for known users."""
        await require_user(self.users, user_id, self.policy())
        refuse(await finish(self._put(org_id, user_id)))

    async def _put(self, org_id: str, user_id: str) -> Change:
        change = await self.memberships.put_member(
            org_id, user_id, at=self.clock.now_us(), most=self.policy().organizations.members
        )
        if change is Change.DONE:
            announce(self.revocations, org_id, user_id)
        return change
