"""Makes members."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.policy import AuthPolicy
from svc_auth.organization_ports import Memberships
from svc_auth.ports import Revocations, Users
from svc_auth.usecases.known_user import require_user
from svc_auth.usecases.membership_change import member_record, org_entry, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class PutMember:
    """Makes a user a member; the first one of an organisation begins and owns it."""

    users: Users
    memberships: Memberships
    revocations: Revocations
    policy: Callable[[], AuthPolicy]
    clock: Clock

    async def __call__(self, caller: Caller, *, org_id: str, user_id: str) -> None:
        """AppError MEMBER_LIMIT, or USER_NOT_FOUND where the policy asks for known users."""
        policy, now = self.policy(), self.clock.now_us()
        await require_user(self.users, user_id, policy)
        entry = org_entry(caller, Action.MEMBER_PUT, org_id=org_id, user_id=user_id, at=now)
        change = await self.memberships.put_member(
            org_id,
            user_id,
            at=now,
            most=policy.organizations.members,
            record=member_record(entry),
        )
        refuse(change)
        self.revocations.announce()
