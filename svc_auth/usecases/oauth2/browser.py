"""Browsers that log in, and whom they stand for afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from leaky.common.v1.reason_pb2 import REASON_BAD_CREDENTIALS
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.session import LoginSession
from svc_auth.domain.record import Record
from svc_auth.domain.user import User
from svc_auth.ports import Opaque, Users
from svc_auth.ports_oauth2 import LoginSessions
from svc_auth.usecases.login import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserLogin:
    """Logs a browser in; its old session, if any, ends with that."""

    login: Login
    sessions: LoginSessions
    opaque: Opaque
    # In microseconds.
    lifetime: Callable[[], int]
    clock: Clock

    async def __call__(
        self, caller: Caller, *, username: str, password: str, old_cookie: str
    ) -> tuple[str, LoginSession]:
        """A new cookie and its session; AppError as Login has it.

        The cookie is a new one whatever the browser had, so that nobody can
        plant one that he knows.
        """
        # From before the password was looked at: what ends older logins ends this one.
        now, cookie = self.clock.now_us(), self.opaque.new_secret()
        user, _ = await self.login(caller, username=username, password=password)
        session = LoginSession(
            id=self.opaque.hash(cookie),
            user_id=user.id,
            auth_time=now,
            expires_at=now + self.lifetime(),
        )
        await self.sessions.end_session(self.opaque.hash(old_cookie))
        if not await self.sessions.add_session(session):
            # The password that was right is perhaps none any more.
            raise AppError(
                REASON_BAD_CREDENTIALS, "the login has been ended meanwhile; log in again"
            )
        return cookie, session


@dataclass(frozen=True, slots=True, kw_only=True)
class FindSession:
    """Whom a cookie stands for."""

    sessions: LoginSessions
    opaque: Opaque

    async def __call__(self, cookie: str) -> LoginSession | None:
        """The session, which may have expired; None for a cookie of no login."""
        return await self.sessions.find_session(self.opaque.hash(cookie)) if cookie else None


async def user_behind(session: LoginSession | None, users: Users, *, now: int) -> User | None:
    """The session's user; None for no session, an expired one, and a user that is disabled."""
    if session is None or now >= session.expires_at:
        return None
    user = await users.find_user(session.user_id)
    return None if user is None or user.disabled else user


@dataclass(frozen=True, slots=True, kw_only=True)
class FindBrowserUser:
    """Who is logged in with a browser."""

    session_of: FindSession
    users: Users
    clock: Clock

    async def __call__(self, cookie: str) -> User | None:
        """The user; None for no login, an expired one, and a user that is disabled."""
        session = await self.session_of(cookie)
        return await user_behind(session, self.users, now=self.clock.now_us())


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserLogout:
    """Ends a browser's login; what applications were allowed goes on."""

    sessions: LoginSessions
    opaque: Opaque
    clock: Clock

    async def __call__(self, caller: Caller, user: User, cookie: str) -> None:
        """The login of the user who was found by the cookie; again is no fault."""
        entry = AuditEntry(
            caller=replace(caller, actor=user.id),
            action=Action.LOGOUT,
            subject_kind=SubjectKind.USER,
            subject_id=user.id,
            user_id=user.id,
            at=self.clock.now_us(),
            detail="BROWSER",
        )
        await self.sessions.end_session(self.opaque.hash(cookie), Record(entry=entry))
