"""Looks up roles."""

from dataclasses import dataclass

from svc_auth.ports import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUserRoles:
    """The roles that a user's tier follows."""

    users: Users

    async def __call__(self, *, user_id: str) -> tuple[str, ...]:
        """The roles; none for a user that is not known."""
        user = await self.users.find_user(user_id)
        return user.roles if user else ()
