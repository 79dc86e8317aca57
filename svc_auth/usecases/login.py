"""Signs users in."""

from dataclasses import dataclass, replace

from leaky.common.v1.reason_pb2 import REASON_BAD_CREDENTIALS, REASON_USER_DISABLED, Reason
from mesh.clock import Clock
from mesh.errors import OUTCOMES, AppError, invalid
from svc_auth.domain.audit import Action, AuditEntry, Outcome, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.claims import Subject, Token
from svc_auth.domain.password import password_problem
from svc_auth.domain.text import storable
from svc_auth.domain.user import Account, User
from svc_auth.ports import Audit, Tokens, Users
from svc_auth.usecases.try_password import Try, TryPassword


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Exchanges a user name and its password for a token."""

    users: Users
    password: TryPassword
    tokens: Tokens
    audit: Audit
    clock: Clock

    async def __call__(self, caller: Caller, *, username: str, password: str) -> tuple[User, Token]:
        """The user and its token.

        AppError BAD_CREDENTIALS, which does not say what was wrong,
        USER_DISABLED, which only who knows the password gets to hear, or
        LOGIN_THROTTLED and OVERLOADED, when the password was not looked at.
        """
        if not storable(username):
            raise invalid("username", "must not contain control characters")
        problem = password_problem(password)
        if problem is not None:
            raise invalid("password", problem)
        attempt = self.password.begin(caller, username)
        at = self.clock.now_us()
        found = await self._find(username, attempt)
        # Verified also without a user, so that time does not tell who exists.
        right = await attempt.right(found.password_hash if found else None, password)
        if found is None or not right:
            await self.audit.note(self._entry(caller, found, REASON_BAD_CREDENTIALS))
            raise AppError(REASON_BAD_CREDENTIALS, "wrong user name or password")
        if found.user.disabled:
            await self.audit.note(self._entry(caller, found, REASON_USER_DISABLED))
            raise AppError(REASON_USER_DISABLED, "the user is disabled")
        await self.audit.note(self._entry(caller, found, None))
        return found.user, session_of(found.user, self.tokens, at=at)

    async def _find(self, username: str, attempt: Try) -> Account | None:
        try:
            return await self.users.find_login(username)
        except AppError:
            attempt.give_back()
            raise

    def _entry(
        self, caller: Caller, account: Account | None, refusal: Reason.ValueType | None
    ) -> AuditEntry:
        # What was typed as a name is not told: it may be the password.
        user_id = account.user.id if account else ""
        acting = caller if refusal else replace(caller, actor=user_id)
        return AuditEntry(
            caller=acting,
            action=Action.LOGIN,
            subject_kind=SubjectKind.USER,
            subject_id=user_id,
            user_id=user_id,
            at=self.clock.now_us(),
            outcome=Outcome.REFUSED if refusal else Outcome.DONE,
            detail=OUTCOMES[refusal].name if refusal else "",
        )


def session_of(user: User, tokens: Tokens, *, at: int) -> Token:
    """A session's token for the user, who was looked up after `at`."""
    subject = Subject(user_id=user.id, username=user.username, roles=user.roles)
    return tokens.session(subject, at=at)
