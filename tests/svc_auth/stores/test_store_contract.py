"""What every store of auth does."""

import asyncio
from dataclasses import replace

import pytest

from svc_auth.domain.membership import Removal, Standing
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
    OTHER_ORG,
    RECORD,
    USER,
    add_key,
    find_key,
)

pytestmark = pytest.mark.anyio
SEALED = SealedKey(kid="one", alg="RS256", sealed=b"\x00\xff", created_at=3)


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


async def test_the_first_member_begins_and_owns_the_organisation(store: AuthStores) -> None:
    assert await store.organizations.put_member(ORG, ALICE, at=1, record=RECORD)
    assert await store.organizations.put_member(ORG, BOB, at=2, record=RECORD)
    assert await store.organizations.find_standing(ORG, ALICE) is Standing.OWNER
    assert await store.organizations.find_standing(ORG, BOB) is Standing.MEMBER
    assert await store.organizations.find_standing(OTHER_ORG, ALICE) is None


async def test_putting_a_member_again_changes_nothing(store: AuthStores) -> None:
    await store.organizations.put_member(ORG, ALICE, at=1, record=RECORD)
    await store.organizations.put_member(ORG, BOB, at=2, record=RECORD)
    assert not await store.organizations.put_member(ORG, BOB, at=3, record=RECORD)
    assert not await store.organizations.put_member(ORG, ALICE, at=3, record=RECORD)
    assert await store.organizations.find_standing(ORG, BOB) is Standing.MEMBER
    assert await store.organizations.find_standing(ORG, ALICE) is Standing.OWNER


async def test_of_many_first_members_at_once_one_is_the_owner(
    store: AuthStores, store_url: str
) -> None:
    people = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(8)]
    async with STORES.open(store_url) as second:
        await asyncio.gather(
            *(
                (store, second)[n % 2].organizations.put_member(ORG, who, at=n, record=RECORD)
                for n, who in enumerate(people)
            )
        )
    standings = [await store.organizations.find_standing(ORG, who) for who in people]
    assert standings.count(Standing.OWNER) == 1
    assert standings.count(Standing.MEMBER) == 7


async def test_ending_a_membership_says_what_was_there(store: AuthStores) -> None:
    assert await store.organizations.remove_member(ORG, ALICE, record=RECORD) is Removal.NO_ORG
    await store.organizations.put_member(ORG, ALICE, at=1, record=RECORD)
    assert await store.organizations.remove_member(ORG, BOB, record=RECORD) is Removal.NO_MEMBER
    assert await store.organizations.remove_member(ORG, ALICE, record=RECORD) is Removal.DONE
    assert await store.organizations.remove_member(ORG, ALICE, record=RECORD) is Removal.NO_MEMBER
    assert await store.organizations.find_standing(ORG, ALICE) is None


async def test_an_organisation_without_owner_gets_one_with_the_next_put(store: AuthStores) -> None:
    for who in (ALICE, BOB):
        await store.organizations.put_member(ORG, who, at=1, record=RECORD)
    await store.organizations.remove_member(ORG, ALICE, record=RECORD)
    assert await store.organizations.find_standing(ORG, BOB) is Standing.MEMBER
    assert await store.organizations.put_member(ORG, BOB, at=2, record=RECORD)
    assert await store.organizations.find_standing(ORG, BOB) is Standing.OWNER


async def test_the_first_signing_key_of_an_algorithm_counts(store: AuthStores) -> None:
    assert await store.signing_keys.find_signing_key("RS256") is None
    assert await store.signing_keys.adopt_signing_key(SEALED) == SEALED
    assert await store.signing_keys.adopt_signing_key(replace(SEALED, kid="two")) == SEALED
    other = replace(SEALED, kid="three", alg="ES256")
    assert await store.signing_keys.adopt_signing_key(other) == other
    assert await store.signing_keys.find_signing_key("RS256") == SEALED
    assert await store.signing_keys.find_signing_key("ES256") == other


async def test_first_starts_at_once_agree_on_a_key(store: AuthStores, store_url: str) -> None:
    async with STORES.open(store_url) as second:
        adopted = await asyncio.gather(
            *(
                (store, second)[number % 2].signing_keys.adopt_signing_key(
                    replace(SEALED, kid=str(number))
                )
                for number in range(6)
            )
        )
    assert len({key.kid for key in adopted}) == 1


async def test_everything_is_there_after_opening_again(store: AuthStores, store_url: str) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    await add_key(store, KEY, "h1")
    await store.organizations.put_member(ORG, ALICE, at=1, record=RECORD)
    await store.signing_keys.adopt_signing_key(SEALED)
    async with STORES.open(store_url) as again:
        await again.ping()
        assert await again.users.find_user(ALICE) == USER
        assert await find_key(again, "h1") is not None
        assert await again.organizations.find_standing(ORG, ALICE) is Standing.OWNER
        assert await again.signing_keys.find_signing_key("RS256") == SEALED
