import asyncio
from typing import Any

import pytest

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
    await house.remove(house.caller, org_id=ORG, user_id=ANN)
    assert await house.told() == [(Kind.MEMBERSHIP, f"{ORG}/{ANN}")] * 2


async def test_in_secure_members_are_registered_users(
    house: Any, refusal: Any, secure: Any
) -> None:
    house.policy = secure
    assert await refusal(house.put(house.caller, org_id=ORG, user_id=ANN)) == ("USER_NOT_FOUND", "")
    assert await refusal(house.remove(house.caller, org_id=ORG, user_id=ANN)) == (
        "ORG_NOT_FOUND",
        "",
    )
    alice = await house.alice()
    await house.put(house.caller, org_id=ORG, user_id=alice.id)
    assert await house.standing(org_id=ORG, user_id=alice.id) is Standing.OWNER


async def test_what_is_not_there_cannot_be_ended(house: Any, refusal: Any) -> None:
    assert await refusal(house.remove(house.caller, org_id=ORG, user_id=ANN)) == (
        "ORG_NOT_FOUND",
        "",
    )
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    assert await refusal(house.remove(house.caller, org_id=ORG, user_id=BOB)) == (
        "MEMBER_NOT_FOUND",
        "",
    )
    await house.remove(house.caller, org_id=ORG, user_id=ANN)
    assert await refusal(house.remove(house.caller, org_id=ORG, user_id=ANN)) == (
        "MEMBER_NOT_FOUND",
        "",
    )


@pytest.mark.parametrize("turns", range(0, 40, 4))
async def test_an_ended_membership_is_announced_though_its_caller_hung_up(
    house: Any, turns: int
) -> None:
    await house.put(house.caller, org_id=ORG, user_id=ANN)
    await house.told()
    caller = asyncio.ensure_future(house.remove(house.caller, org_id=ORG, user_id=ANN))
    for _ in range(turns):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    gone = await house.standing(org_id=ORG, user_id=ANN) is None
    assert await house.told() == ([(Kind.MEMBERSHIP, f"{ORG}/{ANN}")] if gone else [])
