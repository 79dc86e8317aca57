"""Looks at users."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_auth.domain.user import User
from svc_auth.ports import Users
from svc_auth.usecases.user_change import no_user


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsers:
    """All users, page by page."""

    users: Users

    async def __call__(self, *, after: str, limit: int) -> Sequence[User]:
        """The first ones after that id, in the order of ids."""
        return await self.users.list_users(after=after, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUser:
    """One user."""

    users: Users

    async def __call__(self, *, user_id: str) -> User:
        """AppError USER_NOT_FOUND."""
        user = await self.users.find_user(user_id)
        if user is None:
            raise no_user()
        return user
