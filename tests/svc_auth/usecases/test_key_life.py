"""What API keys are limited to, how many there are, how they are rotated and found."""

from dataclasses import replace
from typing import Any

import pytest

from svc_auth.crypto.api_keys import PepperedKeys
from svc_auth.domain.api_key import ApiKey
from svc_auth.domain.audit import Action
from svc_auth.domain.revocation import Kind
from tests.svc_auth.records import RECORD

pytestmark = pytest.mark.anyio
ANN = "aaaaaaaa-0000-4000-8000-000000000000"
HOUR = 3_600_000_000
INVALID = ("INVALID_API_KEY", "")


async def make(house: Any, **named: Any) -> tuple[ApiKey, str]:
    given = {"user_id": ANN, "name": "ci", "expires_at": None, **named}
    made: tuple[ApiKey, str] = await house.create(house.caller, **given)
    return made


async def rotate(house: Any, key: ApiKey) -> tuple[ApiKey, str]:
    made: tuple[ApiKey, str] = await house.rotate(house.caller, user_id=ANN, key_id=key.id)
    return made


async def test_a_key_is_limited_to_what_it_was_made_for(house: Any) -> None:
    key, text = await make(
        house, scopes=["tokens.write", "tokens.read", "tokens.read"], providers=["qwen", "openai"]
    )
    assert key.scopes == ("tokens.read", "tokens.write")
    assert key.providers == ("openai", "qwen")
    holder = await house.validate(text)
    assert holder.key == key


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": ["*"]}, "scopes"),
        ({"scopes": ["tokens.read tokens.write"]}, "scopes"),
        ({"providers": [""]}, "providers"),
        ({"providers": ["open ai"]}, "providers"),
        ({"providers": ["x" * 65]}, "providers"),
        ({"providers": ["x"] * 33}, "providers"),
    ],
)
async def test_what_is_no_limit_is_refused(
    house: Any, refusal: Any, named: dict[str, Any], field: str
) -> None:
    assert await refusal(make(house, **named)) == ("INVALID_ARGUMENT", field)


async def test_a_user_may_have_so_many_keys(house: Any, refusal: Any) -> None:
    house.policy = replace(house.policy, keys_each=2)
    first, _ = await make(house)
    await make(house, expires_at=house.clock.now + 5)
    assert await refusal(make(house)) == ("API_KEY_LIMIT", "")
    assert len(await house.audited()) == 2
    await house.delete(house.caller, user_id=ANN, key_id=first.id)
    await make(house)
    house.clock.now += 5
    await make(house)


async def test_a_rotated_key_goes_on_for_its_grace_beside_the_new_one(
    house: Any, refusal: Any
) -> None:
    old, text = await make(house, scopes=["tokens.read"], providers=["openai"])
    await house.told()
    house.clock.now += 7
    new, new_text = await rotate(house, old)
    assert (new.name, new.scopes, new.providers) == (old.name, old.scopes, old.providers)
    assert (new.created_at, new.expires_at) == (house.clock.now, None)
    assert new_text.startswith(new.prefix)
    assert (await house.validate(text)).key.ends_at == house.clock.now + HOUR
    assert (await house.validate(new_text)).key == new
    assert await house.told() == []
    house.clock.now += HOUR
    assert await refusal(house.validate(text)) == INVALID
    await house.validate(new_text)
    entry = (await house.audited())[-1]
    assert (entry.action, entry.subject_id, entry.detail) == (
        Action.API_KEY_ROTATED,
        old.id,
        f"now {new.id}",
    )


async def test_a_new_key_lives_as_long_as_the_old_one_did(house: Any) -> None:
    old, _ = await make(house, expires_at=house.clock.now + 10 * HOUR)
    house.clock.now += 9 * HOUR
    new, _ = await rotate(house, old)
    assert new.expires_at == house.clock.now + 10 * HOUR
    (kept, _) = await house.keys(user_id=ANN)
    assert kept.ends_at == old.expires_at


async def test_who_lost_the_answer_rotates_again_and_gets_a_key_as_the_first_one_was(
    house: Any, refusal: Any
) -> None:
    house.policy = replace(house.policy, keys_each=2)
    old, text = await make(house)
    await rotate(house, old)
    house.clock.now += 5
    again, _ = await rotate(house, old)
    assert again.expires_at is None
    # The first rotation's word counts.
    assert (await house.validate(text)).key.ends_at == house.clock.now - 5 + HOUR
    assert await refusal(rotate(house, old)) == ("API_KEY_LIMIT", "")


async def test_without_a_grace_the_old_key_ends_at_once_and_everywhere(
    house: Any, refusal: Any
) -> None:
    house.policy = replace(house.policy, rotation_grace=0)
    old, text = await make(house)
    await house.told()
    _, new_text = await rotate(house, old)
    assert await house.told() == [(Kind.API_KEY, old.id)]
    assert await refusal(house.validate(text)) == INVALID
    await house.validate(new_text)


async def test_rotating_takes_no_place_of_its_own(house: Any) -> None:
    house.policy = replace(house.policy, keys_each=1)
    key, _ = await make(house)
    await rotate(house, key)


async def test_what_is_gone_cannot_be_rotated(house: Any, refusal: Any) -> None:
    key, _ = await make(house, expires_at=house.clock.now + 5)
    other = house.rotate(house.caller, user_id=ANN.replace("a", "b"), key_id=key.id)
    assert await refusal(other) == ("API_KEY_NOT_FOUND", "")
    house.clock.now += 5
    assert await refusal(rotate(house, key)) == ("API_KEY_NOT_FOUND", "")


async def test_a_slip_of_the_pen_asks_no_store(house: Any, refusal: Any) -> None:
    _, text = await make(house)

    class Unasked:
        pass

    validate = replace(house.validate, keys=Unasked())
    for wrong in (text[:-1] + ("0" if text[-1] != "0" else "1"), text[:50], "leaky_x_y", ""):
        assert await refusal(validate(wrong)) == INVALID


async def test_keys_from_before_the_checksum_go_on_working(house: Any, refusal: Any) -> None:
    text = f"leaky_{ANN}_{'A' * 43}"
    key = ApiKey(id="old", user_id=ANN, name="old", prefix="leaky_", created_at=1)
    kept = house.maker.kept(text)
    assert kept.lookup == kept.key_hash[:32]
    await house.store.keys.add_key(key, kept, most=9, record=RECORD)
    assert (await house.validate(text)).key == key
    assert await refusal(house.validate(text[:-1] + "B")) == INVALID


async def test_a_key_under_an_older_pepper_is_good_and_kept_anew(house: Any, refusal: Any) -> None:
    before = house.maker
    _, text = await make(house)
    bare = f"leaky_{ANN}_{'A' * 43}"
    old = ApiKey(id="old", user_id=ANN, name="old", prefix="leaky_", created_at=1)
    await house.store.keys.add_key(old, before.kept(bare), most=9, record=RECORD)
    both = replace(house.validate, maker=PepperedKeys("a new pepper", "the pepper of the tests"))
    alone = replace(house.validate, maker=PepperedKeys("a new pepper"))
    for one in (text, bare):
        assert await refusal(alone(one)) == INVALID
        await both(one)
        await both(one)
        await alone(one)
        assert await refusal(house.validate(one)) == INVALID
