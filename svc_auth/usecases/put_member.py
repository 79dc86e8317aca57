"""Makes members."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain import membership
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.revocation import Kind
from svc_auth.ports import Organizations, Revocations, Users
from svc_auth.usecases.finish import finish
from svc_auth.usecases.known_user import require_user


@dataclass(frozen=True, slots=True, kw_only=True)
class PutMember:
    """Makes a user a member; the first one of an organisation begins and owns it."""

    users: Users
    organizations: Organizations
    revocations: Revocations
    policy: Callable[[], AuthPolicy]
    clock: Clock

    async def __call__(self, *, org_id: str, user_id: str) -> None:
        """AppError USER_NOT_FOUND for an unknown user, where the policy asks for known ones."""
        await require_user(self.users, user_id, self.policy())
        await finish(self._put(org_id, user_id))

    async def _put(self, org_id: str, user_id: str) -> None:
        # A membership that is new may be cached elsewhere as one that is not.
        if await self.organizations.put_member(org_id, user_id, at=self.clock.now_us()):
            self.revocations.publish(Kind.MEMBERSHIP, membership.subject(org_id, user_id))
