"""What every store of auth does."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from svc_auth.domain.membership import Removal, Standing
from svc_auth.domain.signing import KeyLife
from svc_auth.domain.user import Account
from svc_auth.ports import SealedKey, Taken
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import ALICE, BOB, HASH, KEY, ORG, OTHER_ORG, RECORD, USER

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


async def test_a_key_is_found_by_its_hash_with_its_user(store: AuthStores) -> None:
    await store.users.add_user(replace(USER, roles=("ADMIN", "USER")), HASH, RECORD)
    await store.keys.add_key(KEY, "h1", RECORD)
    holder = await store.keys.find_key("h1")
    assert holder is not None
    assert (holder.key, holder.username, holder.roles) == (KEY, "Alice", ("ADMIN", "USER"))
    assert await store.keys.find_key("h2") is None


async def test_a_key_may_belong_to_somebody_unknown(store: AuthStores) -> None:
    await store.keys.add_key(KEY, "h1", RECORD)
    holder = await store.keys.find_key("h1")
    assert holder is not None
    assert (holder.key, holder.username, holder.known) == (KEY, "", False)


async def test_keys_are_listed_oldest_first_for_their_user_alone(store: AuthStores) -> None:
    keys = [replace(KEY, id=f"k{number}", created_at=9 - number) for number in range(3)]
    for number, key in enumerate(keys):
        await store.keys.add_key(key, f"h{number}", RECORD)
    await store.keys.add_key(replace(KEY, id="bobs", user_id=BOB), "h9", RECORD)
    assert list(await store.keys.keys_of(ALICE)) == keys[::-1]
    assert list(await store.keys.keys_of("nobody")) == []


async def test_a_revoked_key_is_gone_from_sight(store: AuthStores) -> None:
    await store.keys.add_key(KEY, "h1", RECORD)
    assert await store.keys.revoke_key(ALICE, KEY.id, at=8, record=RECORD)
    assert await store.keys.find_key("h1") is None
    assert list(await store.keys.keys_of(ALICE)) == []


async def test_a_key_is_revoked_once_and_by_its_user_alone(store: AuthStores) -> None:
    await store.keys.add_key(KEY, "h1", RECORD)
    assert not await store.keys.revoke_key(BOB, KEY.id, at=8, record=RECORD)
    assert await store.keys.find_key("h1") is not None
    assert await store.keys.revoke_key(ALICE, KEY.id, at=8, record=RECORD)
    assert not await store.keys.revoke_key(ALICE, KEY.id, at=9, record=RECORD)
    assert not await store.keys.revoke_key(ALICE, "no such key", at=9, record=RECORD)


async def test_of_many_revocations_at_once_one_counts(store: AuthStores) -> None:
    await store.keys.add_key(KEY, "h1", RECORD)
    answers = await asyncio.gather(
        *(store.keys.revoke_key(ALICE, KEY.id, at=8, record=RECORD) for _ in range(5))
    )
    assert sorted(answers) == [False] * 4 + [True]


async def test_the_last_use_only_goes_forward(store: AuthStores) -> None:
    await store.keys.add_key(KEY, "h1", RECORD)
    await store.keys.add_key(replace(KEY, id="other", created_at=6), "h2", RECORD)
    await store.keys.touch_keys({KEY.id: 100, "unknown": 5})
    await store.keys.touch_keys({KEY.id: 50, "other": 60})
    assert [key.last_used_at for key in await store.keys.keys_of(ALICE)] == [100, 60]
    await store.keys.touch_keys({})


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
    await store.keys.add_key(KEY, "h1", RECORD)
    await store.organizations.put_member(ORG, ALICE, at=1, record=RECORD)
    await store.signing_keys.adopt_signing_key(SEALED, QUIET)
    async with STORES.open(store_url) as again:
        await again.ping()
        assert await again.users.find_user(ALICE) == USER
        assert await again.keys.find_key("h1") is not None
        assert await again.organizations.find_standing(ORG, ALICE) is Standing.OWNER
        assert await again.signing_keys.signing_keys() == [SEALED]
