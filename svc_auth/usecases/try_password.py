"""Compares passwords, no oftener than guessing must be slowed down to."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_LOGIN_THROTTLED
from mesh.clock import Clock
from mesh.edge.address import counted
from mesh.errors import AppError
from svc_auth.domain.caller import Caller
from svc_auth.domain.policy import AuthPolicy
from svc_auth.domain.text import comparable
from svc_auth.domain.throttle import Throttle
from svc_auth.ports import Passwords

MESSAGE = "too many logins have failed; try again later"


@dataclass(frozen=True, slots=True, kw_only=True)
class TryPassword:
    """Whether a password is a user's; what is over the limits costs no hash."""

    passwords: Passwords
    throttle: Throttle
    policy: Callable[[], AuthPolicy]
    clock: Clock

    def begin(self, caller: Caller, username: str) -> "Try":
        """Counts the try. AppError LOGIN_THROTTLED, with the seconds to wait."""
        limits, address = self.policy().login, counted(caller.address)
        now, account = self.clock.monotonic(), _account(username)
        wait = self.throttle.begin(account, address, now=now, limits=limits)
        if wait > 0:
            raise AppError(REASON_LOGIN_THROTTLED, MESSAGE, retry_after=wait)
        return Try(of=self, account=account, address=address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One that may be made, and counts as failed unless it is right."""

    of: TryPassword
    account: str
    address: str

    async def right(self, password_hash: str | None, password: str) -> bool:
        """Whether it is right; for no hash False, after as long a time. May raise OVERLOADED."""
        limits = self.of.policy().login
        try:
            right = await self.of.passwords.verify(password_hash, password, asker=self.address)
        except AppError:
            self.give_back()
            raise
        if right:
            self.of.throttle.succeeded(self.account, self.address, limits=limits)
        return right

    def give_back(self) -> None:
        """Nothing was compared, so that nothing counts."""
        limits = self.of.policy().login
        self.of.throttle.give_back(self.account, self.address, limits=limits)


def _account(username: str) -> str:
    # Names may be long; what stands for one is not.
    return hashlib.blake2b(comparable(username).encode(), digest_size=16).hexdigest()
