"""What every store of auth does with the members of organisations."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest

from svc_auth.domain.audit import AuditQuery
from svc_auth.domain.membership import Change, Member, Standing
from svc_auth.domain.record import Record
from svc_auth.domain.user import User
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import RECORD

pytestmark = pytest.mark.anyio
ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
CAROL = "cccccccc-0000-4000-8000-000000000000"
ORG = "00000000-0000-4000-8000-00000000000a"
OTHER_ORG = "00000000-0000-4000-8000-00000000000b"
USER = User(id=ALICE, username="Alice", email="Alice@Example.com", roles=("USER",), created_at=7)
MOST = 50


async def put(store: AuthStores, *users: str, org_id: str = ORG, most: int = MOST) -> list[Change]:
    return [
        await store.memberships.put_member(org_id, user, at=at, most=most, record=RECORD)
        for at, user in enumerate(users, 1)
    ]


async def set_role(store: AuthStores, user: str, standing: Standing) -> Change:
    return await store.memberships.set_standing(ORG, user, standing, record=RECORD)


async def remove(store: AuthStores, user: str, *, emptying: bool = False) -> Change:
    return await store.memberships.remove_member(ORG, user, emptying=emptying, record=RECORD)


async def standings(store: AuthStores) -> dict[str, Standing]:
    return {one.user_id: one.standing for one in await store.memberships.members_of(ORG)}


async def test_the_first_member_begins_and_owns_the_organisation(store: AuthStores) -> None:
    assert await put(store, ALICE, BOB) == [Change.DONE] * 2
    assert await store.memberships.find_standing(ORG, ALICE) is Standing.OWNER
    assert await store.memberships.find_standing(ORG, BOB) is Standing.MEMBER
    assert await store.memberships.find_standing(OTHER_ORG, ALICE) is None


async def test_putting_a_member_again_changes_nothing(store: AuthStores) -> None:
    await put(store, ALICE, BOB)
    assert await put(store, BOB, ALICE) == [Change.SAME] * 2
    assert await standings(store) == {ALICE: Standing.OWNER, BOB: Standing.MEMBER}


async def test_of_many_first_members_at_once_one_is_the_owner(
    store: AuthStores, store_url: str
) -> None:
    people = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(8)]
    async with STORES.open(store_url) as second:
        await asyncio.gather(
            *(
                (store, second)[n % 2].memberships.put_member(
                    ORG, who, at=n, most=MOST, record=RECORD
                )
                for n, who in enumerate(people)
            )
        )
    found = list((await standings(store)).values())
    assert (found.count(Standing.OWNER), found.count(Standing.MEMBER)) == (1, 7)


async def test_an_organisation_is_full_at_its_limit_and_not_for_who_is_in(
    store: AuthStores,
) -> None:
    assert await put(store, ALICE, BOB, CAROL, BOB, most=2) == [
        Change.DONE,
        Change.DONE,
        Change.FULL,
        Change.SAME,
    ]


async def test_of_many_at_once_as_many_get_in_as_there_are_places(
    store: AuthStores, store_url: str
) -> None:
    async with STORES.open(store_url) as second:
        changes = await asyncio.gather(
            *(
                (store, second)[n % 2].memberships.put_member(
                    ORG, f"user-{n}", at=n, most=3, record=RECORD
                )
                for n in range(8)
            )
        )
    assert sorted(changes) == [Change.DONE] * 3 + [Change.FULL] * 5


async def test_members_are_listed_oldest_first_with_their_names(store: AuthStores) -> None:
    await store.users.add_user(USER, "hash", RECORD)
    await put(store, BOB, ALICE)
    await put(store, CAROL, org_id=OTHER_ORG)
    assert await store.memberships.members_of(ORG) == [
        Member(user_id=BOB, username=None, standing=Standing.OWNER, joined_at=1),
        Member(user_id=ALICE, username="Alice", standing=Standing.MEMBER, joined_at=2),
    ]
    assert await store.memberships.members_of("nowhere") == []


async def test_a_member_becomes_something_else(store: AuthStores) -> None:
    assert await set_role(store, BOB, Standing.BILLING) is Change.NO_ORG
    await put(store, ALICE, BOB)
    assert await set_role(store, CAROL, Standing.OWNER) is Change.NO_MEMBER
    for standing in (Standing.BILLING, Standing.OWNER, Standing.MEMBER):
        assert await set_role(store, BOB, standing) is Change.DONE
        assert await set_role(store, BOB, standing) is Change.SAME
        assert await standings(store) == {ALICE: Standing.OWNER, BOB: standing}


async def test_the_last_owner_stays_one(store: AuthStores) -> None:
    await put(store, ALICE, BOB)
    for standing in (Standing.MEMBER, Standing.BILLING):
        assert await set_role(store, ALICE, standing) is Change.LAST_OWNER
    for emptying in (False, True):
        assert await remove(store, ALICE, emptying=emptying) is Change.LAST_OWNER
    await set_role(store, BOB, Standing.OWNER)
    assert await set_role(store, ALICE, Standing.MEMBER) is Change.DONE
    assert await remove(store, BOB) is Change.LAST_OWNER


async def test_the_only_member_goes_to_empty_the_organisation_alone(store: AuthStores) -> None:
    await put(store, ALICE)
    assert await remove(store, ALICE) is Change.LAST_OWNER
    assert await remove(store, ALICE, emptying=True) is Change.DONE
    assert await put(store, BOB) == [Change.DONE]
    assert await standings(store) == {BOB: Standing.OWNER}


async def test_ending_a_membership_says_what_was_there(store: AuthStores) -> None:
    assert await remove(store, BOB) is Change.NO_ORG
    await put(store, ALICE, BOB)
    assert await remove(store, CAROL) is Change.NO_MEMBER
    assert await remove(store, BOB) is Change.DONE
    assert await remove(store, BOB) is Change.NO_MEMBER
    assert await standings(store) == {ALICE: Standing.OWNER}


@pytest.mark.parametrize("how", ["demoted", "removed", "both"])
async def test_owners_who_demote_or_remove_each_other_at_once_leave_one(
    store: AuthStores, store_url: str, how: str
) -> None:
    people = (ALICE, BOB, CAROL)
    for _ in range(3):
        await put(store, *people)
        for who in people:
            await set_role(store, who, Standing.OWNER)
        async with STORES.open(store_url) as second:
            changes = await asyncio.gather(
                *(
                    (store, second)[number % 2].memberships.set_standing(
                        ORG, who, Standing.MEMBER, record=RECORD
                    )
                    if how == "demoted" or (how == "both" and number % 2)
                    else remove((store, second)[number % 2], who)
                    for number, who in enumerate(people)
                )
            )
        assert sorted(changes) == [Change.DONE, Change.DONE, Change.LAST_OWNER]
        owners = [one for one in (await standings(store)).values() if one is Standing.OWNER]
        assert len(owners) == 1


async def transfer(
    store: AuthStores, giver: str, taker: str, *, for_all: bool = False
) -> tuple[Change, set[str]]:
    """What became of it, and whose standing the record was told to have changed."""
    told: set[str] = set()

    def record(changed: Collection[str]) -> Record:
        told.update(changed)
        return RECORD

    change = await store.memberships.transfer(
        ORG, giver=giver, taker=taker, for_all=for_all, record=record
    )
    return change, told


async def test_ownership_is_handed_on_in_one_step(store: AuthStores) -> None:
    assert await transfer(store, ALICE, BOB) == (Change.NO_ORG, set())
    await put(store, ALICE, BOB)
    assert await transfer(store, ALICE, CAROL) == (Change.NO_MEMBER, set())
    assert await transfer(store, ALICE, ALICE) == (Change.SAME, set())
    assert await transfer(store, ALICE, BOB) == (Change.DONE, {ALICE, BOB})
    assert await standings(store) == {ALICE: Standing.MEMBER, BOB: Standing.OWNER}


async def test_who_gives_its_own_ownership_takes_it_from_nobody_else(store: AuthStores) -> None:
    await put(store, ALICE, BOB, CAROL)
    await set_role(store, BOB, Standing.OWNER)
    assert await transfer(store, ALICE, CAROL) == (Change.DONE, {ALICE, CAROL})
    assert await standings(store) == {
        ALICE: Standing.MEMBER,
        BOB: Standing.OWNER,
        CAROL: Standing.OWNER,
    }


async def test_an_owner_who_has_just_been_demoted_gives_nothing_away(store: AuthStores) -> None:
    await put(store, ALICE, BOB, CAROL)
    await set_role(store, BOB, Standing.OWNER)
    await set_role(store, ALICE, Standing.MEMBER)
    before = await lines(store)
    assert await transfer(store, ALICE, CAROL) == (Change.NO_OWNER, set())
    assert (await standings(store))[BOB] is Standing.OWNER
    assert await lines(store) == before


async def test_who_owns_nothing_gives_for_all_owners(store: AuthStores) -> None:
    await put(store, ALICE, BOB, CAROL)
    await set_role(store, BOB, Standing.OWNER)
    assert await transfer(store, "an admin", CAROL, for_all=True) == (
        Change.DONE,
        {ALICE, BOB, CAROL},
    )
    assert await standings(store) == {
        ALICE: Standing.MEMBER,
        BOB: Standing.MEMBER,
        CAROL: Standing.OWNER,
    }


async def lines(store: AuthStores) -> int:
    return len(await store.audit.lines(AuditQuery(), before=None, limit=100))


async def test_what_changes_a_membership_is_written_down_and_what_does_not_is_not(
    store: AuthStores,
) -> None:
    await put(store, ALICE, BOB)
    assert await lines(store) == 2
    await put(store, ALICE)
    await put(store, CAROL, most=2)
    await set_role(store, ALICE, Standing.BILLING)
    await set_role(store, BOB, Standing.MEMBER)
    await remove(store, ALICE, emptying=True)
    await remove(store, CAROL, emptying=True)
    await transfer(store, ALICE, ALICE)
    assert await lines(store) == 2
    await set_role(store, BOB, Standing.BILLING)
    await transfer(store, ALICE, BOB)
    await remove(store, ALICE)
    assert await lines(store) == 5
    revoked = await store.revocations.after(0, also=(), limit=100)
    assert len(revoked) == 5 * len(RECORD.revocations)


async def test_a_users_name_is_its_newest(store: AuthStores) -> None:
    await put(store, ALICE)
    (before,) = await store.memberships.members_of(ORG)
    await store.users.add_user(USER, "hash", RECORD)
    assert await store.memberships.members_of(ORG) == [replace(before, username="Alice")]
