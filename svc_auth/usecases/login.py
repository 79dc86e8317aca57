"""Signs users in."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_BAD_CREDENTIALS
from mesh.errors import AppError, invalid
from svc_auth.domain.claims import Subject, Token
from svc_auth.domain.password import password_problem
from svc_auth.domain.text import storable
from svc_auth.domain.user import User
from svc_auth.ports import Passwords, Tokens, Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Exchanges a user name and its password for a token."""

    users: Users
    passwords: Passwords
    tokens: Tokens

    async def __call__(self, *, username: str, password: str) -> tuple[User, Token]:
        """The user and its token; AppError BAD_CREDENTIALS that does not say which was wrong."""
        if not storable(username):
            raise invalid("username", "must not contain control characters")
        problem = password_problem(password)
        if problem is not None:
            raise invalid("password", problem)
        found = await self.users.find_login(username)
        # Verified also without a user, so that time does not tell who exists.
        right = await self.passwords.verify(found[1] if found else None, password)
        if found is None or not right:
            raise AppError(REASON_BAD_CREDENTIALS, "wrong user name or password")
        return found[0], session_of(found[0], self.tokens)


def session_of(user: User, tokens: Tokens) -> Token:
    """A session's token for the user."""
    subject = Subject(user_id=user.id, username=user.username, roles=user.roles)
    return tokens.session(subject)
