import asyncio
import json
from typing import Any

import pytest

from mesh.errors import AppError
from mesh.identity.jose import verify
from svc_auth.domain.user import User

pytestmark = pytest.mark.anyio
GOOD = {"username": "alice", "email": "alice@example.com", "password": "correct horse"}


async def test_a_user_gets_the_role_user_and_its_names_as_given(house: Any) -> None:
    user = await house.register(
        house.caller, **GOOD | {"username": "Alice", "email": "Alice@Example.com"}
    )
    assert user == User(
        id=user.id,
        username="Alice",
        email="Alice@Example.com",
        roles=("USER",),
        created_at=house.clock.now,
    )
    assert await house.store.users.find_user(user.id) == user


async def test_a_new_user_is_signed_in(house: Any) -> None:
    user, token = await house.sign_up(house.caller, **GOOD)
    jwks = {key["kid"]: key for key in _keys(house)}
    claims = verify(
        token.text,
        jwk=jwks[house.keyring.session.kid],
        issuer="leaky-tokens-auth",
        audiences=["leaky-api"],
        now_us=house.clock.now,
    )
    assert (claims["sub"], claims["username"], claims["roles"]) == (user.id, "alice", ["USER"])


def _keys(house: Any) -> Any:
    return json.loads(house.keyring.jwks)["keys"]


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"username": "ALICE", "email": "b@example.com"}, "USERNAME_TAKEN", "username"),
        ({"username": "bob", "email": "ALICE@EXAMPLE.COM"}, "EMAIL_TAKEN", "email"),
    ],
)
async def test_a_name_or_address_is_taken_in_any_case(
    house: Any, refusal: Any, change: dict[str, str], reason: str, field: str
) -> None:
    await house.register(house.caller, **GOOD)
    assert await refusal(house.register(house.caller, **GOOD | change)) == (reason, field)


async def test_of_a_race_for_a_name_one_wins_and_the_rest_are_told_so(house: Any) -> None:
    tries = (house.register(house.caller, **GOOD | {"email": f"{n}@example.com"}) for n in range(4))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    lost = [answer.outcome.name for answer in answers if isinstance(answer, AppError)]
    assert lost == ["USERNAME_TAKEN"] * 3
    assert sum(isinstance(answer, User) for answer in answers) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": "al"}, "username"),
        ({"username": "al\0ice"}, "username"),
        ({"username": "al\ud800ice"}, "username"),
        ({"email": "nobody"}, "email"),
        ({"email": "a\0@example.com"}, "email"),
        ({"password": "nul\0 in the middle"}, "password"),
        ({"password": "surrogate \udfff alone"}, "password"),
        ({"password": "x" * 257}, "password"),
    ],
)
async def test_bad_input_is_refused_by_field(
    house: Any, refusal: Any, change: dict[str, str], field: str
) -> None:
    assert await refusal(house.register(house.caller, **GOOD | change)) == (
        "INVALID_ARGUMENT",
        field,
    )


async def test_a_short_password_is_weak(house: Any, refusal: Any) -> None:
    weak = house.register(house.caller, **GOOD | {"password": "short"})
    assert await refusal(weak) == ("WEAK_PASSWORD", "password")


async def test_a_common_password_is_weak_in_secure_alone(
    house: Any, refusal: Any, secure: Any
) -> None:
    common = GOOD | {"password": "Password123"}
    local = house.policy
    house.policy = secure
    assert await refusal(house.register(house.caller, **common)) == ("WEAK_PASSWORD", "password")
    house.policy = local
    await house.register(house.caller, **common)
