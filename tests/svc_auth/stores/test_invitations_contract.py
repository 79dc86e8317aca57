"""What every store of auth does with invitations."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from svc_auth.domain.invitation import Acceptance, Invitation, Invited
from svc_auth.domain.membership import Standing
from svc_auth.domain.user import User
from svc_auth.stores import STORES
from svc_auth.stores.sql_invitations import KEPT
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import RECORD

pytestmark = pytest.mark.anyio
ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
CAROL = "cccccccc-0000-4000-8000-000000000000"
ORG = "00000000-0000-4000-8000-00000000000a"
OTHER_ORG = "00000000-0000-4000-8000-00000000000b"
USER = User(id=BOB, username="Bob", email="Bob@Example.com", roles=("USER",), created_at=7)
FOR_BOB = Invitation(
    id="11111111-0000-4000-8000-000000000000",
    org_id=ORG,
    email="Bob@Example.com",
    standing=Standing.BILLING,
    invited_by=ALICE,
    created_at=100,
    expires_at=200,
)


def another(number: int, **changes: Any) -> Invitation:
    """One of many, each for another address unless one is named."""
    id_ = f"{number:08d}-0000-4000-8000-000000000000"
    return replace(FOR_BOB, **{"id": id_, "email": f"{number}@example.com", **changes})


async def begin(store: AuthStores) -> None:
    for org_id in (ORG, OTHER_ORG):
        await store.memberships.put_member(org_id, ALICE, at=1, most=9, record=RECORD)


async def add(store: AuthStores, invitation: Invitation, hash_: str, most: int = 9) -> Invited:
    return await store.invitations.add_invitation(invitation, hash_, most=most, record=RECORD)


async def accept(store: AuthStores, user: str = BOB, at: int = 150, most: int = 9) -> Acceptance:
    return await store.invitations.accept(FOR_BOB.id, user, at=at, most=most, record=RECORD)


async def test_an_invitation_comes_back_as_it_was(store: AuthStores) -> None:
    assert await add(store, FOR_BOB, "h1") is Invited.NO_ORG
    await begin(store)
    anonymous = another(1, invited_by=None)
    assert await add(store, FOR_BOB, "h1") is Invited.DONE
    assert await add(store, anonymous, "h2") is Invited.DONE
    assert await store.invitations.find_invitation("h1") == FOR_BOB
    assert await store.invitations.find_invitation("h2") == anonymous
    assert await store.invitations.find_invitation("h3") is None


async def test_open_invitations_are_listed_oldest_first(store: AuthStores) -> None:
    await begin(store)
    later = another(1, created_at=101)
    elsewhere = another(2, org_id=OTHER_ORG)
    for number, one in enumerate((later, FOR_BOB, elsewhere)):
        await add(store, one, f"h{number}")
    assert await store.invitations.invitations_of(ORG, at=199) == [FOR_BOB, later]
    assert await store.invitations.invitations_of(ORG, at=200) == []
    await accept(store)
    assert await store.invitations.invitations_of(ORG, at=199) == [later]


async def test_accepting_gives_the_invitations_standing_once(store: AuthStores) -> None:
    await begin(store)
    await add(store, FOR_BOB, "h1")
    assert await accept(store) is Acceptance.DONE
    assert await store.memberships.find_standing(ORG, BOB) is Standing.BILLING
    assert await accept(store, at=999) is Acceptance.AGAIN
    found = await store.invitations.find_invitation("h1")
    assert found == replace(FOR_BOB, accepted_by=BOB)
    await store.memberships.remove_member(ORG, BOB, emptying=False, record=RECORD)
    assert await accept(store) is Acceptance.USED
    assert await store.memberships.find_standing(ORG, BOB) is None


async def test_what_is_over_gives_nothing(store: AuthStores) -> None:
    await begin(store)
    assert await accept(store) is Acceptance.GONE
    await add(store, FOR_BOB, "h1")
    assert await accept(store, at=200) is Acceptance.EXPIRED
    assert await accept(store, user=ALICE) is Acceptance.MEMBER
    assert await accept(store, most=1) is Acceptance.FULL
    assert await store.memberships.find_standing(ORG, BOB) is None
    assert await store.memberships.find_standing(ORG, ALICE) is Standing.OWNER
    assert await accept(store) is Acceptance.DONE
    assert await accept(store, user="somebody else") is Acceptance.USED


async def test_a_withdrawn_invitation_is_gone(store: AuthStores) -> None:
    await begin(store)
    await add(store, FOR_BOB, "h1")
    withdraw = store.invitations.withdraw_invitation
    assert not await withdraw(OTHER_ORG, FOR_BOB.id, at=150, record=RECORD)
    assert not await withdraw(ORG, FOR_BOB.id, at=200, record=RECORD)
    assert await withdraw(ORG, FOR_BOB.id, at=150, record=RECORD)
    assert not await withdraw(ORG, FOR_BOB.id, at=150, record=RECORD)
    assert await store.invitations.find_invitation("h1") is None
    assert await accept(store) is Acceptance.GONE


@pytest.mark.parametrize("end", ["removed", "demoted", "given"])
async def test_who_is_no_owner_any_more_has_invited_nobody(store: AuthStores, end: str) -> None:
    await begin(store)
    members = store.memberships
    await members.put_member(ORG, CAROL, at=2, most=9, record=RECORD)
    await members.set_standing(ORG, CAROL, Standing.OWNER, record=RECORD)
    await add(store, FOR_BOB, "h1")
    await add(store, another(1, invited_by=CAROL), "h2")
    await add(store, another(2, org_id=OTHER_ORG), "h3")
    if end == "removed":
        await members.remove_member(ORG, ALICE, emptying=False, record=RECORD)
    elif end == "demoted":
        await members.set_standing(ORG, ALICE, Standing.MEMBER, record=RECORD)
    else:
        await members.transfer(
            ORG, giver=ALICE, taker=CAROL, for_all=False, record=lambda _changed: RECORD
        )
    assert await accept(store) is Acceptance.GONE
    # Others' stay, and its own elsewhere.
    left = {org: await store.invitations.invitations_of(org, at=150) for org in (ORG, OTHER_ORG)}
    assert [one.id for one in left[ORG]] == [another(1).id]
    assert [one.id for one in left[OTHER_ORG]] == [another(2).id]


async def test_an_accepted_invitation_is_not_withdrawn(store: AuthStores) -> None:
    await begin(store)
    await add(store, FOR_BOB, "h1")
    await accept(store)
    assert not await store.invitations.withdraw_invitation(ORG, FOR_BOB.id, at=150, record=RECORD)


async def test_a_new_invitation_takes_the_place_of_one_for_the_same_address(
    store: AuthStores,
) -> None:
    await begin(store)
    elsewhere = another(1, org_id=OTHER_ORG, email=FOR_BOB.email)
    again = another(2, email="BOB@example.com", created_at=120)
    await add(store, FOR_BOB, "h1", most=1)
    await add(store, elsewhere, "h2", most=1)
    assert await add(store, again, "h3", most=1) is Invited.DONE
    assert await store.invitations.find_invitation("h1") is None
    assert await store.invitations.invitations_of(ORG, at=150) == [again]
    assert await store.invitations.invitations_of(OTHER_ORG, at=150) == [elsewhere]


async def test_a_member_is_not_invited_whatever_case_its_address_is_in(
    store: AuthStores,
) -> None:
    await begin(store)
    await store.users.add_user(USER, "hash", RECORD)
    assert await add(store, FOR_BOB, "h1") is Invited.DONE
    await accept(store)
    upper = another(1, email="BOB@EXAMPLE.COM")
    assert await add(store, upper, "h2") is Invited.MEMBER
    elsewhere = replace(upper, org_id=OTHER_ORG)
    assert await add(store, elsewhere, "h2") is Invited.DONE


async def test_only_open_invitations_count_against_the_limit(store: AuthStores) -> None:
    await begin(store)
    assert await add(store, FOR_BOB, "h0", most=1) is Invited.DONE
    assert await add(store, another(1), "h1", most=1) is Invited.FULL
    late = another(2, created_at=200, expires_at=300)
    assert await add(store, late, "h2", most=1) is Invited.DONE
    await store.invitations.accept(late.id, "carol", at=250, most=9, record=RECORD)
    later = another(3, created_at=250, expires_at=300)
    assert await add(store, later, "h3", most=1) is Invited.DONE


async def test_an_invitation_that_is_refused_takes_nobodys_place(store: AuthStores) -> None:
    """When the limit was higher before."""
    await begin(store)
    for number in range(3):
        await add(store, another(number), f"h{number}")
    again = another(9, email=another(0).email)
    assert await add(store, again, "h9", most=2) is Invited.FULL
    assert await store.invitations.find_invitation("h0") == another(0)
    assert await add(store, again, "h9", most=3) is Invited.DONE


async def test_of_many_at_once_no_more_than_the_limit_are_made(
    store: AuthStores, store_url: str
) -> None:
    await begin(store)
    async with STORES.open(store_url) as second:
        made = await asyncio.gather(
            *(
                add((store, second)[number % 2], another(number), f"h{number}", most=3)
                for number in range(8)
            )
        )
    assert sorted(made) == [Invited.DONE] * 3 + [Invited.FULL] * 5
    assert len(await store.invitations.invitations_of(ORG, at=150)) == 3


async def test_of_two_who_accept_at_once_one_becomes_a_member(
    store: AuthStores, store_url: str
) -> None:
    await begin(store)
    await add(store, FOR_BOB, "h1")
    async with STORES.open(store_url) as second:
        outcomes = await asyncio.gather(
            *(accept((store, second)[n % 2], user=f"user-{n}") for n in range(4))
        )
    assert sorted(outcomes) == [Acceptance.DONE] + [Acceptance.USED] * 3
    assert len(await store.memberships.members_of(ORG)) == 2


async def test_a_user_who_accepts_twice_at_once_is_told_the_same(
    store: AuthStores, store_url: str
) -> None:
    await begin(store)
    await add(store, FOR_BOB, "h1")
    async with STORES.open(store_url) as second:
        outcomes = await asyncio.gather(*(accept((store, second)[n % 2]) for n in range(4)))
    assert sorted(outcomes) == [Acceptance.AGAIN] * 3 + [Acceptance.DONE]


async def test_an_invitation_withdrawn_while_it_is_accepted_is_one_or_the_other(
    store: AuthStores, store_url: str
) -> None:
    await begin(store)
    async with STORES.open(store_url) as second:
        for number in range(6):
            one = another(number)
            await add(store, one, f"h{number}")
            withdrawn, accepted = await asyncio.gather(
                second.invitations.withdraw_invitation(ORG, one.id, at=150, record=RECORD),
                store.invitations.accept(one.id, f"user-{number}", at=150, most=9, record=RECORD),
            )
            member = await store.memberships.find_standing(ORG, f"user-{number}")
            assert withdrawn == (accepted is Acceptance.GONE) == (member is None)


async def test_what_was_over_long_ago_is_forgotten(store: AuthStores) -> None:
    await begin(store)
    await add(store, FOR_BOB, "h1")
    expires = FOR_BOB.expires_at + KEPT
    for after, known in ((0, True), (1, False)):
        now = expires + after
        new = another(after, created_at=now, expires_at=now + 1)
        await add(store, new, f"new{after}")
        assert (await store.invitations.find_invitation("h1") is not None) is known
