"""Makes members."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.policy import AuthPolicy
from svc_auth.ports import Organizations, Revocations, Users
from svc_auth.usecases.delete_member import member_record
from svc_auth.usecases.known_user import require_user


@dataclass(frozen=True, slots=True, kw_only=True)
class PutMember:
    """Makes a user a member; the first one of an organisation begins and owns it."""

    users: Users
    organizations: Organizations
    revocations: Revocations
    policy: Callable[[], AuthPolicy]
    clock: Clock

    async def __call__(self, caller: Caller, *, org_id: str, user_id: str) -> None:
        """AppError USER_NOT_FOUND for an unknown user, where the policy asks for known ones."""
        await require_user(self.users, user_id, self.policy())
        now = self.clock.now_us()
        # A membership that is new may be cached elsewhere as one that is not.
        record = member_record(caller, Action.MEMBER_PUT, org_id=org_id, user_id=user_id, at=now)
        if await self.organizations.put_member(org_id, user_id, at=now, record=record):
            self.revocations.announce()
