from dataclasses import dataclass, field, replace
from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@dataclass
class Watched:
    """The real hasher, with what it was asked."""

    real: Any
    asked: list[str | None] = field(default_factory=list)

    async def hash(self, password: str, *, asker: str) -> str:
        return str(await self.real.hash(password, asker=asker))

    async def verify(self, password_hash: str | None, password: str, *, asker: str) -> bool:
        self.asked.append(password_hash)
        return bool(await self.real.verify(password_hash, password, asker=asker))


async def test_the_right_password_opens_a_session(house: Any) -> None:
    alice = await house.alice()
    user, token = await house.login(house.caller, username="ALICE", password="correct horse")
    assert user == alice
    assert token.expires_at == (house.clock.now // 1_000_000 + 3600) * 1_000_000


async def test_a_wrong_password_and_an_unknown_user_are_told_apart_by_nobody(
    house: Any, refusal: Any
) -> None:
    await house.alice()
    wrong = await refusal(house.login(house.caller, username="alice", password="wrong horse"))
    unknown = await refusal(house.login(house.caller, username="nobody", password="correct horse"))
    assert wrong == unknown == ("BAD_CREDENTIALS", "")


async def test_an_unknown_user_costs_a_verification_too(house: Any, refusal: Any) -> None:
    watched = Watched(house.passwords)
    login = replace(house.login, password=replace(house.password, passwords=watched))
    await refusal(login(house.caller, username="nobody", password="correct horse"))
    assert watched.asked == [None]


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [
        ("al\0ice", "correct horse", "username"),
        ("al\ud800ice", "correct horse", "username"),
        ("alice", "correct\0horse", "password"),
        ("alice", "correct \udfff", "password"),
    ],
)
async def test_what_cannot_be_stored_is_bad_input(
    house: Any, refusal: Any, username: str, password: str, field: str
) -> None:
    await house.alice()
    answer = await refusal(house.login(house.caller, username=username, password=password))
    assert answer == ("INVALID_ARGUMENT", field)


async def test_a_password_is_right_however_it_was_typed(house: Any) -> None:
    who = {"username": "eve", "email": "eve@example.com"}
    await house.register(house.caller, **who, password="caf\u00e9 creme")
    user, _ = await house.login(house.caller, username="eve", password="cafe\u0301 creme")
    assert user.username == "eve"
