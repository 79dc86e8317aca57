from typing import Any

import pytest

from svc_auth.domain.membership import Standing
from svc_auth.domain.organization import OwnOrganization

pytestmark = pytest.mark.anyio
ANN = "aaaaaaaa-0000-4000-8000-000000000000"
NOWHERE = "00000000-0000-4000-8000-00000000000a"


async def test_who_begins_an_organisation_owns_it(house: Any) -> None:
    made = await house.create_org(house.by(ANN), name="Acme")
    assert made.organization.name == "Acme"
    assert made.organization.created_at == house.clock.now
    assert await house.orgs_of(user_id=ANN) == [made]
    (member,) = await house.members_of(org_id=made.organization.id)
    assert (member.user_id, member.standing) == (ANN, Standing.OWNER)


async def test_nobody_begins_one_that_its_first_member_owns(house: Any) -> None:
    made = await house.create_org(house.by(""), name="Acme")
    org_id = made.organization.id
    assert await house.members_of(org_id=org_id) == []
    await house.put(house.caller, org_id=org_id, user_id=ANN)
    assert await house.orgs_of(user_id=ANN) == [
        OwnOrganization(organization=made.organization, standing=Standing.OWNER)
    ]


async def test_a_user_owns_only_so_many(house: Any, refusal: Any) -> None:
    for _ in range(house.policy.organizations.owned):
        await house.create_org(house.by(ANN), name="Acme")
    assert await refusal(house.create_org(house.by(ANN), name="Acme")) == ("ORG_LIMIT", "")
    assert (
        await house.create_org(house.by("somebody else"), name="Acme")
    ).standing is Standing.OWNER


async def test_an_organisation_is_renamed(house: Any) -> None:
    made = await house.create_org(house.by(ANN), name="Acme")
    org_id = made.organization.id
    renamed = await house.rename_org(house.caller, org_id=org_id, name="Emca \u00e9")
    assert renamed.name == "Emca \u00e9"
    assert await house.find_org(org_id=org_id) == renamed


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\0b", "\ud800"])
async def test_a_name_that_is_none(house: Any, refusal: Any, name: str) -> None:
    assert await refusal(house.create_org(house.by(ANN), name=name)) == ("INVALID_ARGUMENT", "name")
    renamed = house.rename_org(house.caller, org_id=NOWHERE, name=name)
    assert await refusal(renamed) == ("INVALID_ARGUMENT", "name")


async def test_what_is_not_there_is_not_found(house: Any, refusal: Any) -> None:
    for asked in (
        house.find_org(org_id=NOWHERE),
        house.rename_org(house.caller, org_id=NOWHERE, name="Acme"),
        house.members_of(org_id=NOWHERE),
        house.invitations(org_id=NOWHERE),
    ):
        assert await refusal(asked) == ("ORG_NOT_FOUND", "")
    assert await house.orgs_of(user_id=ANN) == []
