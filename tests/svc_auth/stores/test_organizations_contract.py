"""What every store of auth does with organisations."""

import asyncio
from dataclasses import replace

import pytest

from svc_auth.domain.membership import Standing
from svc_auth.domain.organization import Organization, OwnOrganization
from svc_auth.domain.user import User
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import RECORD

pytestmark = pytest.mark.anyio
ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
USER = User(id=ALICE, username="Alice", email="Alice@Example.com", roles=("USER",), created_at=7)
ACME = Organization(id="00000000-0000-4000-8000-00000000000a", name="Acme \u2603", created_at=5)
OTHER = replace(ACME, id="00000000-0000-4000-8000-00000000000b", created_at=6)


async def test_an_organisation_comes_back_as_it_was(store: AuthStores) -> None:
    assert await store.organizations.find_organization(ACME.id) is None
    assert await store.organizations.add_organization(ACME, ALICE, most=1, record=RECORD)
    assert await store.organizations.find_organization(ACME.id) == ACME
    assert await store.memberships.find_standing(ACME.id, ALICE) is Standing.OWNER


async def test_an_organisation_may_begin_with_nobody(store: AuthStores) -> None:
    assert await store.organizations.add_organization(ACME, None, most=0, record=RECORD)
    assert await store.memberships.members_of(ACME.id) == []
    await store.memberships.put_member(ACME.id, BOB, at=9, most=1, record=RECORD)
    assert await store.memberships.find_standing(ACME.id, BOB) is Standing.OWNER
    assert await store.organizations.find_organization(ACME.id) == ACME


async def test_one_that_began_with_a_member_is_called_by_its_id(store: AuthStores) -> None:
    await store.memberships.put_member(ACME.id, BOB, at=9, most=1, record=RECORD)
    found = await store.organizations.find_organization(ACME.id)
    assert found == Organization(id=ACME.id, name=ACME.id, created_at=9)


async def test_names_need_not_be_unique_and_change(store: AuthStores) -> None:
    assert await store.organizations.rename(ACME.id, "Nobody", record=RECORD) is None
    for one in (ACME, OTHER):
        assert await store.organizations.add_organization(one, ALICE, most=2, record=RECORD)
    renamed = replace(ACME, name="Emca")
    assert await store.organizations.rename(ACME.id, "Emca", record=RECORD) == renamed
    assert await store.organizations.find_organization(ACME.id) == renamed
    assert await store.organizations.find_organization(OTHER.id) == OTHER


async def test_a_users_organisations_are_listed_oldest_membership_first(
    store: AuthStores,
) -> None:
    await store.organizations.add_organization(OTHER, BOB, most=1, record=RECORD)
    await store.organizations.add_organization(ACME, ALICE, most=1, record=RECORD)
    await store.memberships.put_member(OTHER.id, ALICE, at=9, most=2, record=RECORD)
    await store.memberships.set_standing(OTHER.id, ALICE, Standing.BILLING, record=RECORD)
    assert await store.organizations.organizations_of(ALICE) == [
        OwnOrganization(organization=ACME, standing=Standing.OWNER),
        OwnOrganization(organization=OTHER, standing=Standing.BILLING),
    ]
    assert await store.organizations.organizations_of("nobody") == []


async def test_only_what_a_user_owns_counts_against_its_limit(store: AuthStores) -> None:
    await store.memberships.put_member(OTHER.id, BOB, at=1, most=2, record=RECORD)
    await store.memberships.put_member(OTHER.id, ALICE, at=2, most=2, record=RECORD)
    assert await store.organizations.add_organization(ACME, ALICE, most=1, record=RECORD)
    another = replace(ACME, id="00000000-0000-4000-8000-00000000000c")
    assert not await store.organizations.add_organization(another, ALICE, most=1, record=RECORD)
    assert await store.organizations.find_organization(another.id) is None


async def test_of_many_begun_at_once_no_more_than_the_limit_are(
    store: AuthStores, store_url: str
) -> None:
    await store.users.add_user(USER, "hash", RECORD)
    many = [replace(ACME, id=f"{n:08d}-0000-4000-8000-000000000000") for n in range(8)]
    async with STORES.open(store_url) as second:
        begun = await asyncio.gather(
            *(
                (store, second)[n % 2].organizations.add_organization(
                    one, ALICE, most=3, record=RECORD
                )
                for n, one in enumerate(many)
            )
        )
    assert sorted(begun) == [False] * 5 + [True] * 3
    assert len(await store.organizations.organizations_of(ALICE)) == 3
