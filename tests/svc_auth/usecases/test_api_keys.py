import asyncio
import json
import re
from typing import Any

import pytest

from mesh.identity.jose import verify
from svc_auth.domain.revocation import Kind

pytestmark = pytest.mark.anyio
STRANGER = "ffffffff-0000-4000-8000-000000000000"
SECOND = 1_000_000
INVALID = ("INVALID_API_KEY", "")


async def test_a_key_names_its_user_and_is_listed_without_its_text(house: Any) -> None:
    alice = await house.alice()
    key, text = await house.create(house.caller, user_id=alice.id, name="ci", expires_at=None)
    assert re.fullmatch(rf"leaky_{alice.id}_[A-Za-z0-9_-]{{43}}[A-Za-z0-9]{{6}}", text)
    assert key.prefix == text[: len(f"leaky_{alice.id}_") + 4]
    assert await house.keys(user_id=alice.id) == [key]
    assert text not in repr(key)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"expires_at": 1}, "expires_at"),
        ({"expires_at": -(1 << 55)}, "expires_at"),
        ({"expires_at": 1_700_000_000_123_456}, "expires_at"),
    ],
)
async def test_bad_input_is_refused_by_field(
    house: Any, refusal: Any, change: dict[str, Any], field: str
) -> None:
    given = {"user_id": STRANGER, "name": "ci", "expires_at": None} | change
    assert await refusal(house.create(house.caller, **given)) == ("INVALID_ARGUMENT", field)


async def test_a_stranger_gets_a_key_in_local_alone(house: Any, refusal: Any, secure: Any) -> None:
    _, text = await house.create(house.caller, user_id=STRANGER, name="ci", expires_at=None)
    assert (await house.validate(text)).roles == ("USER",)
    house.policy = secure
    again = house.create(house.caller, user_id=STRANGER, name="ci", expires_at=None)
    assert await refusal(again) == ("USER_NOT_FOUND", "")
    assert await refusal(house.validate(text)) == INVALID


async def test_a_known_users_key_works_in_secure(house: Any, secure: Any) -> None:
    house.policy = secure
    alice = await house.alice()
    key, text = await house.create(house.caller, user_id=alice.id, name="ci", expires_at=None)
    holder = await house.validate(text)
    assert (holder.key, holder.username, holder.roles) == (key, "alice", ("USER",))


@pytest.mark.parametrize(
    "text", ["", "leaky_", "\0", "\ud800", "x" * 100_000, f"leaky_{STRANGER}_x"]
)
async def test_what_is_no_key_is_invalid(house: Any, refusal: Any, text: str) -> None:
    assert await refusal(house.validate(text)) == INVALID


async def test_a_key_ends_at_its_expiry(house: Any, refusal: Any) -> None:
    ends = house.clock.now + SECOND
    _, text = await house.create(house.caller, user_id=STRANGER, name="ci", expires_at=ends)
    house.clock.now = ends - 1
    await house.validate(text)
    house.clock.now = ends
    assert await refusal(house.validate(text)) == INVALID
    assert await refusal(house.exchange(text)) == INVALID
    assert len(await house.keys(user_id=STRANGER)) == 1


async def test_a_deleted_key_is_dropped_everywhere(house: Any, refusal: Any) -> None:
    key, text = await house.create(house.caller, user_id=STRANGER, name="ci", expires_at=None)
    await house.delete(house.caller, user_id=STRANGER, key_id=key.id)
    assert await house.told() == [(Kind.API_KEY, key.id)]
    assert await refusal(house.validate(text)) == INVALID
    assert await house.keys(user_id=STRANGER) == []


async def test_what_cannot_be_deleted_is_not_found_and_not_announced(
    house: Any, refusal: Any
) -> None:
    key, text = await house.create(house.caller, user_id=STRANGER, name="ci", expires_at=None)
    alice = await house.alice()
    assert await refusal(house.delete(house.caller, user_id=alice.id, key_id=key.id)) == (
        "API_KEY_NOT_FOUND",
        "",
    )
    assert await house.told() == []
    await house.validate(text)
    await house.delete(house.caller, user_id=STRANGER, key_id=key.id)
    again = house.delete(house.caller, user_id=STRANGER, key_id=key.id)
    assert await refusal(again) == ("API_KEY_NOT_FOUND", "")


@pytest.mark.parametrize("turns", range(0, 40, 4))
async def test_a_revocation_is_announced_though_its_caller_hung_up(house: Any, turns: int) -> None:
    key, _ = await house.create(house.caller, user_id=STRANGER, name="ci", expires_at=None)
    caller = asyncio.ensure_future(house.delete(house.caller, user_id=STRANGER, key_id=key.id))
    for _ in range(turns):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    gone = await house.keys(user_id=STRANGER) == []
    assert await house.told() == ([(Kind.API_KEY, key.id)] if gone else [])


async def test_a_key_is_exchanged_for_a_token_of_the_mesh(house: Any) -> None:
    alice = await house.alice()
    key, text = await house.create(house.caller, user_id=alice.id, name="ci", expires_at=None)
    exchanged, token = await house.exchange(text)
    assert exchanged == key
    claims = _claims(house, token)
    now = house.clock.now // SECOND
    assert claims | {"jti": ""} == {
        "iss": "leaky-tokens-auth",
        "aud": "leaky-mesh",
        "sub": alice.id,
        "username": "alice",
        "roles": ["USER"],
        "scope": "account.read analytics.read tokens.read tokens.write *",
        "key_id": key.id,
        "iat": house.clock.now / SECOND,
        "exp": now + 120,
        "jti": "",
    }
    assert token.expires_at == claims["exp"] * SECOND


async def test_a_token_does_not_outlive_its_key(house: Any) -> None:
    ends = house.clock.now + 30 * SECOND
    _, text = await house.create(house.caller, user_id=STRANGER, name="ci", expires_at=ends)
    _, token = await house.exchange(text)
    assert token.expires_at == ends // SECOND * SECOND
    assert _claims(house, token)["exp"] == ends // SECOND


async def test_the_last_use_is_noted_by_validation_and_exchange(house: Any) -> None:
    key, text = await house.create(house.caller, user_id=STRANGER, name="ci", expires_at=None)
    other, other_text = await house.create(
        house.caller, user_id=STRANGER, name="cd", expires_at=None
    )
    house.clock.now += 7
    await house.validate(text)
    await house.exchange(other_text)
    await house.last_used.flush()
    used = {key.id: key.last_used_at for key in await house.keys(user_id=STRANGER)}
    assert used == {key.id: house.clock.now, other.id: house.clock.now}


def _claims(house: Any, token: Any) -> dict[str, Any]:
    keys = {key["kid"]: key for key in json.loads(house.keyring.jwks)["keys"]}
    return verify(
        token.text,
        jwk=keys[house.keyring.mesh.kid],
        issuer="leaky-tokens-auth",
        audiences=["leaky-mesh"],
        now_us=house.clock.now,
    )
