"""Changes passwords."""

from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_UNAUTHENTICATED, REASON_USER_DISABLED
from mesh.clock import Clock
from mesh.edge.address import counted
from mesh.errors import AppError, invalid
from svc_auth.domain.audit import Action, Outcome
from svc_auth.domain.caller import Caller
from svc_auth.domain.claims import Token
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import of_sessions
from svc_auth.domain.user import Account
from svc_auth.ports import Audit, Passwords, Tokens, Users
from svc_auth.usecases.end_access import EndAccess
from svc_auth.usecases.login import session_of
from svc_auth.usecases.new_password import check_password
from svc_auth.usecases.try_password import TryPassword
from svc_auth.usecases.user_change import known, no_user, user_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPassword:
    """Replaces a password and ends the sessions of its user."""

    users: Users
    passwords: Passwords
    end: EndAccess
    clock: Clock

    async def __call__(
        self,
        caller: Caller,
        action: Action,
        account: Account,
        password: str,
        *,
        replacing: str | None,
    ) -> int | None:
        """Before when sessions are ended, in microseconds; None when it was replaced meanwhile."""
        user = account.user
        password_hash = await self.passwords.hash(password, asker=counted(caller.address))
        now = self.clock.now_us()
        revoked = of_sessions(user.id, at=now, lifetime=await self.end.lifetime())
        entry = user_entry(caller, action, user.id, at=now)
        record = Record(entry=entry, revocations=(revoked,))
        changed = await self.users.set_password(
            user.id, password_hash, replacing=replacing, record=record
        )
        return await self.end(revoked) if known(changed) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    """A user's own: needs the old one, ends all its sessions and begins a new one."""

    users: Users
    password: TryPassword
    set: SetPassword
    tokens: Tokens
    audit: Audit
    policy: Callable[[], AuthPolicy]
    clock: Clock

    async def __call__(self, caller: Caller, *, current: str, new: str) -> Token:
        """The new session's token.

        AppError UNAUTHENTICATED for nobody, INVALID_ARGUMENT for a wrong old
        password, WEAK_PASSWORD for the new one, LOGIN_THROTTLED as a login.
        """
        account = await self.users.find_account(caller.actor)
        if account is None:
            raise AppError(REASON_UNAUTHENTICATED, "only a registered user has a password")
        user = account.user
        check_password(
            "new_password",
            new,
            username=user.username,
            email=user.email,
            rules=self.policy().password,
        )
        attempt = self.password.begin(caller, user.username)
        if not await attempt.right(account.password_hash, current):
            raise await self._refused(caller, user.id)
        ended = await self.set(
            caller, Action.PASSWORD_CHANGED, account, new, replacing=account.password_hash
        )
        if ended is None:
            raise await self._refused(caller, user.id)
        return await self._session(user.id, ended)

    async def _refused(self, caller: Caller, user_id: str) -> AppError:
        entry = user_entry(
            caller,
            Action.PASSWORD_CHANGED,
            user_id,
            at=self.clock.now_us(),
            outcome=Outcome.REFUSED,
        )
        await self.audit.note(entry)
        return invalid("current_password", "is not the password")

    async def _session(self, user_id: str, at: int) -> Token:
        # Looked up last: who was disabled meanwhile gets none.
        user = await self.users.find_user(user_id)
        if user is None or user.disabled:
            raise AppError(REASON_USER_DISABLED, "the user is disabled")
        return session_of(user, self.tokens, at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPassword:
    """An administrator's, for a user who has lost its own; ends the user's sessions."""

    users: Users
    set: SetPassword
    policy: Callable[[], AuthPolicy]

    async def __call__(self, caller: Caller, *, user_id: str, password: str) -> None:
        """AppError USER_NOT_FOUND, INVALID_ARGUMENT or WEAK_PASSWORD."""
        account = await self.users.find_account(user_id)
        if account is None:
            raise no_user()
        check_password(
            "password",
            password,
            username=account.user.username,
            email=account.user.email,
            rules=self.policy().password,
        )
        await self.set(caller, Action.PASSWORD_RESET, account, password, replacing=None)
