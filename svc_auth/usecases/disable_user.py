"""Disables and enables users."""

from dataclasses import dataclass

from mesh.clock import Clock
from mesh.errors import invalid
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import of_user
from svc_auth.ports import Users
from svc_auth.usecases.end_access import EndAccess
from svc_auth.usecases.user_change import known, user_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableUser:
    """Ends a user's sessions and refuses its keys, at once and everywhere."""

    users: Users
    end: EndAccess
    clock: Clock

    async def __call__(self, caller: Caller, *, user_id: str) -> None:
        """AppError USER_NOT_FOUND. Nobody disables itself, so that somebody can undo it."""
        if caller.actor == user_id:
            raise invalid("user_id", "must not be the caller's own")
        now = self.clock.now_us()
        revoked = of_user(user_id, at=now, lifetime=await self.end.lifetime())
        entry = user_entry(caller, Action.USER_DISABLED, user_id, at=now)
        record = Record(entry=entry, revocations=(revoked,))
        if known(await self.users.disable_user(user_id, at=now, record=record)):
            await self.end(revoked)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableUser:
    """Lets a user in again; what was ended stays ended."""

    users: Users
    clock: Clock

    async def __call__(self, caller: Caller, *, user_id: str) -> None:
        """AppError USER_NOT_FOUND."""
        entry = user_entry(caller, Action.USER_ENABLED, user_id, at=self.clock.now_us())
        known(await self.users.enable_user(user_id, record=Record(entry=entry)))
