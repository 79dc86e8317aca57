import asyncio
from typing import Any

import pytest

from svc_auth.domain.audit import Action, SubjectKind
from svc_auth.domain.membership import Standing
from svc_auth.domain.revocation import Kind

pytestmark = pytest.mark.anyio
ORG = "00000000-0000-4000-8000-00000000000a"
ANN = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"


async def test_the_first_member_owns_the_organisation(house: Any) -> None:
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    await house.put(house.caller, org_id=ORG, user_id=BOB)
    assert await house.standing(org_id=ORG, user_id=ANN) is Standing.OWNER
    assert await house.standing(org_id=ORG, user_id=BOB) is Standing.MEMBER


async def test_who_is_no_member_is_an_answer(house: Any) -> None:
    assert await house.standing(org_id=ORG, user_id=ANN) is None


async def test_every_change_is_announced_and_no_repetition(house: Any) -> None:
    for _ in range(2):
        await house.put(house.caller, org_id=ORG, user_id=ANN)
        await house.put(house.caller, org_id=ORG, user_id=BOB)
    assert await house.told() == announced(ANN, BOB)
    for _ in range(2):
        await house.set_role(house.caller, org_id=ORG, user_id=BOB, standing=Standing.BILLING)
    assert await house.told() == announced(BOB)
    await house.transfer(house.by(ANN), org_id=ORG, taker=BOB, for_all=False)
    assert sorted(await house.told()) == announced(ANN, BOB)
    await house.remove(house.by(ANN), org_id=ORG, user_id=ANN)
    assert await house.told() == announced(ANN)


async def test_what_is_refused_is_not_announced(house: Any, refusal: Any) -> None:
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    await house.told()
    await refusal(house.set_role(house.caller, org_id=ORG, user_id=ANN, standing=Standing.MEMBER))
    await refusal(house.remove(house.by(ANN), org_id=ORG, user_id=ANN))
    await refusal(house.transfer(house.by(ANN), org_id=ORG, taker=BOB, for_all=False))
    assert await house.told() == []


async def test_in_secure_members_are_registered_users(
    house: Any, refusal: Any, secure: Any
) -> None:
    house.policy = secure
    assert await refusal(house.put(house.caller, org_id=ORG, user_id=ANN)) == ("USER_NOT_FOUND", "")
    assert await refusal(house.remove(house.by(""), org_id=ORG, user_id=ANN)) == (
        "ORG_NOT_FOUND",
        "",
    )
    alice = await house.user("alice")
    await house.put(house.caller, org_id=ORG, user_id=alice.id)
    assert await house.standing(org_id=ORG, user_id=alice.id) is Standing.OWNER


async def test_what_is_not_there_cannot_be_changed(house: Any, refusal: Any) -> None:
    def changes(user_id: str) -> list[Any]:
        return [
            house.remove(house.by(""), org_id=ORG, user_id=user_id),
            house.set_role(house.caller, org_id=ORG, user_id=user_id, standing=Standing.OWNER),
            house.transfer(house.by(""), org_id=ORG, taker=user_id, for_all=True),
        ]

    assert [await refusal(one) for one in changes(ANN)] == [("ORG_NOT_FOUND", "")] * 3
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    assert [await refusal(one) for one in changes(BOB)] == [("MEMBER_NOT_FOUND", "")] * 3


async def test_the_last_owner_neither_leaves_nor_is_demoted(house: Any, refusal: Any) -> None:
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    alone = house.remove(house.by(ANN), org_id=ORG, user_id=ANN)
    assert await refusal(alone) == ("LAST_OWNER", "")
    await house.put(house.caller, org_id=ORG, user_id=BOB)
    for by in (ANN, "an admin", ""):
        gone = house.remove(house.by(by), org_id=ORG, user_id=ANN)
        assert await refusal(gone) == ("LAST_OWNER", "")
    demoted = house.set_role(house.caller, org_id=ORG, user_id=ANN, standing=Standing.BILLING)
    assert await refusal(demoted) == ("LAST_OWNER", "")
    await house.transfer(house.by(ANN), org_id=ORG, taker=BOB, for_all=False)
    await house.remove(house.by(ANN), org_id=ORG, user_id=ANN)
    assert await house.standing(org_id=ORG, user_id=BOB) is Standing.OWNER


async def test_who_owns_nothing_gives_ownership_away_only_for_all(house: Any, refusal: Any) -> None:
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    await house.put(house.caller, org_id=ORG, user_id=BOB)
    taken = house.transfer(house.by(BOB), org_id=ORG, taker=BOB, for_all=False)
    assert await refusal(taken) == ("PERMISSION_DENIED", "")
    assert await house.standing(org_id=ORG, user_id=ANN) is Standing.OWNER
    await house.transfer(house.by("an admin"), org_id=ORG, taker=BOB, for_all=True)
    assert await house.standing(org_id=ORG, user_id=BOB) is Standing.OWNER


async def test_an_admin_may_empty_an_organisation(house: Any) -> None:
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    await house.remove(house.by("an admin"), org_id=ORG, user_id=ANN)
    assert await house.standing(org_id=ORG, user_id=ANN) is None


async def test_a_full_organisation_takes_nobody(house: Any, refusal: Any) -> None:
    for number in range(house.policy.organizations.members):
        await house.put(house.caller, org_id=ORG, user_id=f"user-{number}")
    assert await refusal(house.put(house.caller, org_id=ORG, user_id=ANN)) == ("MEMBER_LIMIT", "")


@pytest.mark.parametrize("turns", range(0, 40, 8))
async def test_an_ended_membership_is_announced_though_its_caller_hung_up(
    house: Any, turns: int
) -> None:
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    await house.put(house.caller, org_id=ORG, user_id=BOB)
    await house.told()
    caller = asyncio.ensure_future(house.remove(house.caller, org_id=ORG, user_id=BOB))
    for _ in range(turns):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    gone = await house.standing(org_id=ORG, user_id=BOB) is None
    assert await house.told() == (announced(BOB) if gone else [])


async def test_every_change_is_in_the_audit_log(house: Any) -> None:
    made = await house.create_org(house.by(ANN), name="Acme")
    org_id = made.organization.id
    await house.rename_org(house.by(ANN), org_id=org_id, name="Emca")
    await house.put(house.by(ANN), org_id=org_id, user_id=BOB)
    await house.set_role(house.by(ANN), org_id=org_id, user_id=BOB, standing=Standing.BILLING)
    await house.transfer(house.by(ANN), org_id=org_id, taker=BOB, for_all=False)
    await house.remove(house.by(""), org_id=org_id, user_id=ANN, leaving=True)
    lines = await house.audited()
    assert [(one.action, one.caller.actor, one.user_id, one.detail) for one in lines] == [
        (Action.ORG_CREATED, ANN, ANN, ""),
        (Action.ORG_RENAMED, ANN, "", ""),
        (Action.MEMBER_PUT, ANN, BOB, ""),
        (Action.MEMBER_ROLE_SET, ANN, BOB, "BILLING"),
        (Action.OWNERSHIP_TRANSFERRED, ANN, BOB, ""),
        (Action.MEMBER_REMOVED, "anonymous", ANN, ""),
    ]
    assert {(one.subject_kind, one.subject_id, one.at) for one in lines} == {
        (SubjectKind.ORGANIZATION, org_id, house.clock.now)
    }


def announced(*users: str) -> list[tuple[Kind, str]]:
    return [(Kind.MEMBERSHIP, f"{ORG}/{user}") for user in users]
