"""What every store of auth does."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from svc_auth.domain.membership import Standing
from svc_auth.domain.signing import KeyLife
from svc_auth.domain.user import Account
from svc_auth.ports import SealedKey, Taken
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import (
    ALICE,
    BOB,
    HASH,
    KEY,
    ORG,
    RECORD,
    USER,
    add_key,
    find_key,
)

pytestmark = pytest.mark.anyio
QUIET = replace(RECORD, revocations=())
LIFE = KeyLife(kid="one", alg="RS256", generation=1, active_at=3, longest_lifetime=9)
SEALED = SealedKey(life=LIFE, sealed=b"\x00\xff", created_at=3)


async def test_a_user_comes_back_as_it_was(store: AuthStores) -> None:
    user = replace(USER, roles=("ADMIN", "USER"))
    assert await store.users.add_user(user, HASH, RECORD) is None
    assert await store.users.find_user(ALICE) == user
    assert await store.users.find_login("Alice") == Account(user=user, password_hash=HASH)
    assert await store.users.find_account(ALICE) == Account(user=user, password_hash=HASH)


async def test_a_user_is_found_by_its_name_in_any_case(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    assert await store.users.find_login("ALICE") == Account(user=USER, password_hash=HASH)
    assert await store.users.find_login("\uff41lice") == Account(user=USER, password_hash=HASH)


async def test_nobody_is_found_who_is_not_there(store: AuthStores) -> None:
    assert await store.users.find_user(ALICE) is None
    assert await store.users.find_login("alice") is None
    await store.users.add_user(USER, HASH, RECORD)
    assert await store.users.find_login("alice@example.com") is None


async def test_a_name_is_taken_in_any_case(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    again = replace(USER, id=BOB, username="aLICE", email="b@example.com")
    assert await store.users.add_user(again, HASH, RECORD) is Taken.USERNAME
    assert await store.users.find_user(BOB) is None


async def test_an_address_is_taken_in_any_case(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    again = replace(USER, id=BOB, username="bob", email="ALICE@example.COM")
    assert await store.users.add_user(again, HASH, RECORD) is Taken.EMAIL
    assert await store.users.find_user(BOB) is None


async def test_with_both_taken_the_name_is_said(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    assert await store.users.add_user(replace(USER, id=BOB), HASH, RECORD) is Taken.USERNAME


async def test_of_many_at_once_one_gets_the_name(store: AuthStores, store_url: str) -> None:
    async with STORES.open(store_url) as second:
        answers = await asyncio.gather(
            *(
                (store, second)[number % 2].users.add_user(
                    replace(
                        USER,
                        id=f"{number:08d}-0000-4000-8000-000000000000",
                        email=f"{number}@example.com",
                    ),
                    HASH,
                    RECORD,
                )
                for number in range(8)
            )
        )
    assert sorted(answers, key=str) == [None, *[Taken.USERNAME] * 7]


def sealed(**changes: Any) -> SealedKey:
    return replace(SEALED, life=replace(LIFE, **changes))


async def test_the_first_signing_key_of_a_generation_counts(store: AuthStores) -> None:
    keys = store.signing_keys
    assert await keys.signing_keys() == []
    assert await keys.adopt_signing_key(SEALED, QUIET) == SEALED
    assert await keys.adopt_signing_key(sealed(kid="two"), QUIET) == SEALED
    other, next_one = sealed(kid="three", alg="ES256"), sealed(kid="four", generation=2)
    assert await keys.adopt_signing_key(next_one, QUIET) == next_one
    assert await keys.adopt_signing_key(other, QUIET) == other
    assert await keys.signing_keys() == [SEALED, next_one, other]


async def test_lifetimes_only_grow_and_removed_keys_are_gone(store: AuthStores) -> None:
    keys = store.signing_keys
    await keys.adopt_signing_key(SEALED, QUIET)
    await keys.adopt_signing_key(sealed(kid="two", alg="ES256"), QUIET)
    await keys.lengthen("RS256", 50)
    await keys.lengthen("RS256", 20)
    assert [key.life.longest_lifetime for key in await keys.signing_keys()] == [50, 9]
    await keys.remove_signing_keys(["one", "unknown"])
    assert [key.life.kid for key in await keys.signing_keys()] == ["two"]


async def test_first_starts_at_once_agree_on_a_key(store: AuthStores, store_url: str) -> None:
    async with STORES.open(store_url) as second:
        adopted = await asyncio.gather(
            *(
                (store, second)[number % 2].signing_keys.adopt_signing_key(
                    sealed(kid=str(number)), QUIET
                )
                for number in range(6)
            )
        )
    assert len({key.life.kid for key in adopted}) == 1


async def test_everything_is_there_after_opening_again(store: AuthStores, store_url: str) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    await store.memberships.put_member(ORG, ALICE, at=1, most=1, record=RECORD)
    await add_key(store, KEY, "h1")
    await store.signing_keys.adopt_signing_key(SEALED, QUIET)
    async with STORES.open(store_url) as again:
        await again.ping()
        assert await again.users.find_user(ALICE) == USER
        assert await again.memberships.find_standing(ORG, ALICE) is Standing.OWNER
        assert await again.signing_keys.signing_keys() == [SEALED]
        assert await find_key(again, "h1") is not None
