"""Browsers that log in while all of their user's logins are ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from svc_auth.crypto.opaque import OpaqueTexts
from svc_auth.crypto.passwords import Argon2Passwords
from svc_auth.domain.audit import Action
from svc_auth.usecases.oauth2.browser import BrowserLogin
from tests.svc_auth.conftest import House

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse"


@dataclass
class Interrupted:
    """Passwords, beside whose comparison something happens."""

    passwords: Argon2Passwords
    meanwhile: Callable[[], Awaitable[None]]

    async def hash(self, password: str, *, asker: str) -> str:
        return await self.passwords.hash(password, asker=asker)

    async def verify(self, password_hash: str | None, password: str, *, asker: str) -> bool:
        right = await self.passwords.verify(password_hash, password, asker=asker)
        await self.meanwhile()
        return right


def _browser(house: House) -> BrowserLogin:
    return BrowserLogin(
        login=house.login,
        sessions=house.store.login_sessions,
        opaque=OpaqueTexts(),
        lifetime=lambda: 1_000_000_000,
        clock=house.clock,
    )


@pytest.mark.parametrize("how", ["password", "disabled"])
async def test_a_login_does_not_survive_that_all_are_ended_while_its_password_is_compared(
    house: House, refusal: Any, how: str
) -> None:
    alice = await house.alice()

    async def end_all() -> None:
        house.clock.now += 1
        if how == "disabled":
            await house.user_servicer.disable(house.caller, user_id=alice.id)
            return
        account = await house.store.users.find_account(alice.id)
        assert account is not None
        await house.set_password(
            house.caller, Action.PASSWORD_RESET, account, "another horse", replacing=None
        )

    racing = House(
        store=house.store,
        passwords=Interrupted(house.passwords, end_all),  # type: ignore[arg-type]  # one as good
        keyring=house.keyring,
        clock=house.clock,
    )
    entered = _browser(racing)(house.caller, username="alice", password=PASSWORD, old_cookie="")
    assert await refusal(entered) == ("BAD_CREDENTIALS", "")
    house.clock.now += 1
    if how == "password":
        again = _browser(house)
        cookie, session = await again(
            house.caller, username="alice", password="another horse", old_cookie=""
        )
        assert await house.store.login_sessions.find_session(OpaqueTexts().hash(cookie)) == session
