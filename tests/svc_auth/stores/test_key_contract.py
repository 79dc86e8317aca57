"""What every store of auth does with API keys."""

import asyncio
from dataclasses import replace

import pytest

from svc_auth.domain.api_key import ApiKey, KeyText
from svc_auth.ports import Replacement
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import ALICE, BOB, HASH, KEY, RECORD, USER, add_key, find_key

pytestmark = pytest.mark.anyio


async def test_a_key_is_found_by_its_hash_with_its_user(store: AuthStores) -> None:
    await store.users.add_user(replace(USER, roles=("ADMIN", "USER")), HASH, RECORD)
    await add_key(store, KEY, "h1")
    holder = await find_key(store, "h1")
    assert holder is not None
    assert (holder.key, holder.username, holder.roles) == (KEY, "Alice", ("ADMIN", "USER"))
    assert await find_key(store, "h2") is None


async def test_a_key_may_belong_to_somebody_unknown(store: AuthStores) -> None:
    await add_key(store, KEY, "h1")
    holder = await find_key(store, "h1")
    assert holder is not None
    assert (holder.key, holder.username, holder.known) == (KEY, "", False)


async def test_keys_are_listed_oldest_first_for_their_user_alone(store: AuthStores) -> None:
    keys = [replace(KEY, id=f"k{number}", created_at=9 - number) for number in range(3)]
    for number, key in enumerate(keys):
        await add_key(store, key, f"h{number}")
    await add_key(store, replace(KEY, id="bobs", user_id=BOB), "h9")
    assert list(await store.keys.keys_of(ALICE)) == keys[::-1]
    assert list(await store.keys.keys_of("nobody")) == []


async def test_a_revoked_key_is_gone_from_sight(store: AuthStores) -> None:
    await add_key(store, KEY, "h1")
    assert await store.keys.revoke_key(ALICE, KEY.id, at=8, record=RECORD)
    assert await find_key(store, "h1") is None
    assert list(await store.keys.keys_of(ALICE)) == []


async def test_a_key_is_revoked_once_and_by_its_user_alone(store: AuthStores) -> None:
    await add_key(store, KEY, "h1")
    assert not await store.keys.revoke_key(BOB, KEY.id, at=8, record=RECORD)
    assert await find_key(store, "h1") is not None
    assert await store.keys.revoke_key(ALICE, KEY.id, at=8, record=RECORD)
    assert not await store.keys.revoke_key(ALICE, KEY.id, at=9, record=RECORD)
    assert not await store.keys.revoke_key(ALICE, "no such key", at=9, record=RECORD)


async def test_of_many_revocations_at_once_one_counts(store: AuthStores) -> None:
    await add_key(store, KEY, "h1")
    answers = await asyncio.gather(
        *(store.keys.revoke_key(ALICE, KEY.id, at=8, record=RECORD) for _ in range(5))
    )
    assert sorted(answers) == [False] * 4 + [True]


async def test_the_last_use_only_goes_forward(store: AuthStores) -> None:
    await add_key(store, KEY, "h1")
    await add_key(store, replace(KEY, id="other", created_at=6), "h2")
    await store.keys.touch_keys({KEY.id: 100, "unknown": 5})
    await store.keys.touch_keys({KEY.id: 50, "other": 60})
    assert [key.last_used_at for key in await store.keys.keys_of(ALICE)] == [100, 60]
    await store.keys.touch_keys({})


async def test_what_a_key_is_limited_to_comes_back(store: AuthStores) -> None:
    limited = replace(KEY, scopes=("tokens.read", "tokens.write"), providers=("openai",))
    await add_key(store, limited, "h1")
    assert list(await store.keys.keys_of(ALICE)) == [limited]
    holder = await find_key(store, "h1")
    assert holder is not None
    assert holder.key == limited


async def test_one_lookup_may_lead_to_several_keys(store: AuthStores) -> None:
    await store.users.add_user(replace(USER, roles=("ADMIN", "USER")), HASH, RECORD)
    for number in range(3):
        kept = KeyText(lookup="same", key_hash=f"h{number}")
        await store.keys.add_key(replace(KEY, id=f"k{number}"), kept, most=9, record=RECORD)
    found = await store.keys.find_keys(["same", "other"])
    assert [(holder.key.id, kept.key_hash) for holder, kept in found] == [
        ("k0", "h0"),
        ("k1", "h1"),
        ("k2", "h2"),
    ]
    assert {holder.roles for holder, _ in found} == {("ADMIN", "USER")}


async def test_what_is_kept_of_a_key_can_change(store: AuthStores) -> None:
    await add_key(store, KEY, "old")
    await store.keys.keep_anew(KEY.id, KeyText(lookup="new", key_hash="new"))
    assert await find_key(store, "old") is None
    assert await find_key(store, "new") is not None


async def test_a_user_has_so_many_keys_and_no_more(store: AuthStores, store_url: str) -> None:
    async with STORES.open(store_url) as second:
        added = await asyncio.gather(
            *(
                add_key((store, second)[n % 2], replace(KEY, id=f"k{n}"), f"h{n}", most=3)
                for n in range(6)
            )
        )
    assert sorted(added) == [False] * 3 + [True] * 3
    assert len(await store.keys.keys_of(ALICE)) == 3
    assert await add_key(store, replace(KEY, id="bobs", user_id=BOB), "h9", most=1)
    mine = await store.keys.keys_of(ALICE)
    await store.keys.revoke_key(ALICE, mine[0].id, at=1, record=RECORD)
    assert await add_key(store, replace(KEY, id="again"), "h7", most=3)
    # One that has ended takes no place.
    late = replace(KEY, id="late", created_at=1 << 57, expires_at=None)
    assert await add_key(store, late, "h8", most=1)


NEW = replace(KEY, id="new", created_at=100)


async def replace_key(
    store: AuthStores, old: str, new: ApiKey, *, retires: int, most: int = 9
) -> Replacement:
    kept = KeyText(lookup=f"of {new.id}", key_hash=f"of {new.id}")
    return await store.keys.replace_key(old, new, kept, retires=retires, most=most, record=RECORD)


async def test_a_key_takes_anothers_place_and_both_go_on_for_a_while(store: AuthStores) -> None:
    await add_key(store, KEY, "h1")
    assert await replace_key(store, KEY.id, NEW, retires=150) is Replacement.DONE
    old = replace(KEY, retires_at=150)
    assert list(await store.keys.keys_of(ALICE)) == [old, NEW]
    assert await store.keys.find_own_key(ALICE, "new") == NEW
    assert await store.keys.find_own_key(BOB, "new") is None
    # What retires earlier anyway goes on for no longer.
    newest = replace(KEY, id="newest", created_at=120)
    assert await replace_key(store, KEY.id, newest, retires=900) is Replacement.DONE
    assert await store.keys.find_own_key(ALICE, KEY.id) == old


async def test_a_key_that_retires_takes_no_place_and_its_second_successor_does(
    store: AuthStores,
) -> None:
    await add_key(store, KEY, "h1", most=1)
    assert await replace_key(store, KEY.id, NEW, retires=150, most=1) is Replacement.DONE
    again = replace(KEY, id="again", created_at=101)
    assert await replace_key(store, KEY.id, again, retires=150, most=1) is Replacement.LIMIT
    assert await replace_key(store, KEY.id, again, retires=150, most=2) is Replacement.DONE
    assert not await add_key(store, replace(KEY, id="more"), "h2", most=2)


async def test_a_key_that_is_replaced_at_once_is_revoked(store: AuthStores) -> None:
    await add_key(store, replace(KEY, expires_at=None), "h1")
    assert await replace_key(store, KEY.id, NEW, retires=100) is Replacement.DONE
    assert await find_key(store, "h1") is None
    assert list(await store.keys.keys_of(ALICE)) == [NEW]


async def test_what_is_not_there_is_not_replaced(store: AuthStores) -> None:
    await add_key(store, KEY, "h1")
    bobs = replace(NEW, user_id=BOB)
    assert await replace_key(store, KEY.id, bobs, retires=150) is Replacement.NO_KEY
    late = replace(NEW, created_at=1 << 57)
    assert await replace_key(store, KEY.id, late, retires=1 << 58) is Replacement.NO_KEY
    assert list(await store.keys.keys_of(ALICE)) == [KEY]
    assert await find_key(store, "of new") is None


async def test_of_many_rotations_at_once_no_more_come_true_than_there_is_room_for(
    store: AuthStores, store_url: str
) -> None:
    await add_key(store, KEY, "h1")
    async with STORES.open(store_url) as second:
        made = await asyncio.gather(
            *(
                replace_key(
                    (store, second)[number % 2],
                    KEY.id,
                    replace(NEW, id=f"k{number}"),
                    retires=150,
                    most=2,
                )
                for number in range(5)
            )
        )
    assert sorted(made) == [Replacement.DONE] * 2 + [Replacement.LIMIT] * 3
