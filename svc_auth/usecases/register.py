"""Makes users."""

from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import (
    REASON_EMAIL_TAKEN,
    REASON_USERNAME_TAKEN,
    Reason,
)
from mesh.clock import Clock, Ids
from mesh.edge.address import counted
from mesh.errors import AppError, FieldViolation, invalid
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import Caller
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.record import Record
from svc_auth.domain.text import email_problem, username_problem
from svc_auth.domain.user import User
from svc_auth.ports import Passwords, Taken, Users
from svc_auth.usecases.new_password import check_password


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Checks what a person asked to be called, and stores it with a hashed password."""

    users: Users
    passwords: Passwords
    policy: Callable[[], AuthPolicy]
    clock: Clock
    ids: Ids
    roles: tuple[str, ...]

    async def __call__(self, caller: Caller, *, username: str, email: str, password: str) -> User:
        """The new user; AppError for bad input, a weak password, a name or address taken."""
        _check("username", username_problem(username))
        _check("email", email_problem(email))
        rules = self.policy().password
        check_password("password", password, username=username, email=email, rules=rules)
        user = User(
            id=self.ids.new(),
            username=username,
            email=email,
            roles=self.roles,
            created_at=self.clock.now_us(),
        )
        password_hash = await self.passwords.hash(password, asker=counted(caller.address))
        match await self.users.add_user(user, password_hash, _record(caller, user)):
            case Taken.USERNAME:
                raise _refused(REASON_USERNAME_TAKEN, "username", "is already taken")
            case Taken.EMAIL:
                raise _refused(REASON_EMAIL_TAKEN, "email", "is already taken")
            case None:
                return user


def _record(caller: Caller, user: User) -> Record:
    entry = AuditEntry(
        caller=caller,
        action=Action.USER_REGISTERED,
        subject_kind=SubjectKind.USER,
        subject_id=user.id,
        user_id=user.id,
        at=user.created_at,
        detail=" ".join(user.roles),
    )
    return Record(entry=entry)


def _check(field: str, problem: str | None) -> None:
    if problem is not None:
        raise invalid(field, problem)


def _refused(reason: Reason.ValueType, field: str, problem: str) -> AppError:
    violation = FieldViolation(field=field, message=problem)
    return AppError(reason, f"{field} {problem}", violations=(violation,))
