"""Makes a user and signs it in."""

from dataclasses import dataclass

from svc_auth.domain.caller import Caller
from svc_auth.domain.claims import Token
from svc_auth.domain.user import User
from svc_auth.ports import Tokens
from svc_auth.usecases.login import session_of
from svc_auth.usecases.register import Register


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """A registration whose answer is a session already."""

    register: Register
    tokens: Tokens

    async def __call__(
        self, caller: Caller, *, username: str, email: str, password: str
    ) -> tuple[User, Token]:
        """The new user and its token; fails as Register does."""
        user = await self.register(caller, username=username, email=email, password=password)
        return user, session_of(user, self.tokens, at=user.created_at)
