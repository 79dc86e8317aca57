"""Gives users roles, and takes them."""

import re
from dataclasses import dataclass

from mesh.clock import Clock
from mesh.errors import invalid
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import of_user
from svc_auth.domain.user import ADMIN, USER
from svc_auth.ports import Users
from svc_auth.usecases.end_access import EndAccess
from svc_auth.usecases.user_change import known, user_entry

_ROLE = re.compile(r"[A-Z][A-Z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRole:
    """Gives a user a role, which its next session has."""

    users: Users
    clock: Clock

    async def __call__(self, caller: Caller, *, user_id: str, role: str) -> None:
        """AppError USER_NOT_FOUND, or INVALID_ARGUMENT for what is no role's name."""
        _check(role)
        now = self.clock.now_us()
        entry = user_entry(caller, Action.ROLE_GRANTED, user_id, at=now, detail=role)
        known(await self.users.grant_role(user_id, role, record=Record(entry=entry)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRole:
    """Takes a role from a user, and the sessions that have it."""

    users: Users
    end: EndAccess
    clock: Clock

    async def __call__(self, caller: Caller, *, user_id: str, role: str) -> None:
        """AppError USER_NOT_FOUND, or INVALID_ARGUMENT for a role that cannot be taken.

        No ADMIN takes it from itself, so that somebody can undo it.
        """
        _check(role)
        if role == USER:
            raise invalid("role", "is every user's")
        if role == ADMIN and caller.actor == user_id:
            raise invalid("user_id", "must not be the caller's own")
        now = self.clock.now_us()
        revoked = of_user(user_id, at=now, lifetime=await self.end.lifetime())
        entry = user_entry(caller, Action.ROLE_REVOKED, user_id, at=now, detail=role)
        record = Record(entry=entry, revocations=(revoked,))
        if known(await self.users.revoke_role(user_id, role, record=record)):
            await self.end(revoked)


def _check(role: str) -> None:
    if not _ROLE.fullmatch(role):
        raise invalid("role", "must consist of upper case letters, digits and _")
