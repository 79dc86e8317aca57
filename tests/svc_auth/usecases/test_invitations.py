from dataclasses import replace
from typing import Any

import pytest

from svc_auth.crypto.opaque import OpaqueTexts
from svc_auth.domain.audit import Action
from svc_auth.domain.membership import Standing
from svc_auth.domain.revocation import Kind

pytestmark = pytest.mark.anyio
ORG = "00000000-0000-4000-8000-00000000000a"
NOWHERE = "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
async def ann(house: Any) -> Any:
    """A user who owns the organisation."""
    user = await house.user("ann")
    await house.put(house.caller, org_id=ORG, user_id=user.id)
    await house.told()
    return user


@pytest.fixture
async def bob(house: Any) -> Any:
    return await house.user("bob")


async def invite(house: Any, email: str, standing: Standing = Standing.MEMBER) -> tuple[Any, str]:
    made, token = await house.invite(house.by("ann"), org_id=ORG, email=email, standing=standing)
    return made, str(token)


@pytest.mark.parametrize("standing", list(Standing))
async def test_the_invited_becomes_what_the_invitation_says(
    house: Any, ann: Any, bob: Any, standing: Standing
) -> None:
    made, token = await invite(house, bob.email, standing)
    assert await house.invitations(org_id=ORG) == [made]
    accepted = await house.accept(house.by(bob.id), token=token)
    assert (accepted.organization.id, accepted.user_id, accepted.standing) == (
        ORG,
        bob.id,
        standing,
    )
    assert await house.standing(org_id=ORG, user_id=bob.id) is standing
    assert await house.standing(org_id=ORG, user_id=ann.id) is Standing.OWNER
    assert await house.invitations(org_id=ORG) == []
    assert await house.told() == [(Kind.MEMBERSHIP, f"{ORG}/{bob.id}")]


@pytest.mark.usefixtures("ann")
async def test_accepting_twice_is_told_the_same_and_announced_once(house: Any, bob: Any) -> None:
    _, token = await invite(house, bob.email)
    first = await house.accept(house.by(bob.id), token=token)
    house.clock.now += 30 * 86_400_000_000
    assert await house.accept(house.by(bob.id), token=token) == first
    assert len(await house.told()) == 1


@pytest.mark.usefixtures("ann")
async def test_a_token_is_random_and_only_its_hash_is_stored(house: Any) -> None:
    tokens = {(await invite(house, f"{number}@example.com"))[1] for number in range(3)}
    assert len(tokens) == 3
    for token in tokens:
        assert token.startswith("leaky_invite_")
        assert len(token.removeprefix("leaky_invite_")) >= 43
        assert await house.store.invitations.find_invitation(token) is None
        assert await house.store.invitations.find_invitation(OpaqueTexts().hash(token)) is not None


@pytest.mark.usefixtures("ann")
async def test_an_invitation_is_for_its_address_in_any_case(house: Any, bob: Any) -> None:
    _, token = await invite(house, bob.email.upper())
    assert (await house.accept(house.by(bob.id), token=token)).user_id == bob.id


@pytest.mark.usefixtures("ann")
async def test_somebody_elses_invitation_is_refused_and_stays(
    house: Any, refusal: Any, bob: Any
) -> None:
    _, token = await invite(house, bob.email)
    carol = await house.user("carol")
    stolen = house.accept(house.by(carol.id), token=token)
    assert await refusal(stolen) == ("INVITATION_FOR_ANOTHER", "")
    assert await refusal(house.accept(house.by("x"), token=token)) == ("USER_NOT_FOUND", "")
    assert await house.standing(org_id=ORG, user_id=carol.id) is None
    assert (await house.accept(house.by(bob.id), token=token)).user_id == bob.id


@pytest.mark.usefixtures("ann")
async def test_without_a_caller_the_invited_accepts(house: Any, refusal: Any, bob: Any) -> None:
    _, token = await invite(house, bob.email.title())
    assert (await house.accept(house.by(""), token=token)).user_id == bob.id
    _, token = await invite(house, "nobody@example.com")
    assert await refusal(house.accept(house.by(""), token=token)) == ("USER_NOT_FOUND", "")


@pytest.mark.usefixtures("ann")
async def test_an_invitation_ends_at_its_expiry(house: Any, refusal: Any, bob: Any) -> None:
    made, token = await invite(house, bob.email)
    house.clock.now = made.expires_at
    late = house.accept(house.by(bob.id), token=token)
    assert await refusal(late) == ("INVITATION_EXPIRED", "")
    assert await house.invitations(org_id=ORG) == []
    house.clock.now -= 1
    assert await house.invitations(org_id=ORG) == [made]
    assert (await house.accept(house.by(bob.id), token=token)).standing is Standing.MEMBER


@pytest.mark.usefixtures("ann")
async def test_how_long_an_invitation_is_good_is_a_setting(house: Any, bob: Any) -> None:
    limits = replace(house.policy.organizations, invitation_lifetime=5)
    house.policy = replace(house.policy, organizations=limits)
    made, _ = await invite(house, bob.email)
    assert made.expires_at == house.clock.now + 5


@pytest.mark.usefixtures("ann")
async def test_a_withdrawn_invitation_is_not_found(house: Any, refusal: Any, bob: Any) -> None:
    made, token = await invite(house, bob.email)
    elsewhere = house.withdraw(house.caller, org_id=NOWHERE, invitation_id=made.id)
    assert await refusal(elsewhere) == ("INVITATION_NOT_FOUND", "")
    await house.withdraw(house.caller, org_id=ORG, invitation_id=made.id)
    again = house.withdraw(house.caller, org_id=ORG, invitation_id=made.id)
    assert await refusal(again) == ("INVITATION_NOT_FOUND", "")
    late = house.accept(house.by(bob.id), token=token)
    assert await refusal(late) == ("INVITATION_NOT_FOUND", "")


async def test_a_used_invitation_does_not_let_in_again(
    house: Any, refusal: Any, ann: Any, bob: Any
) -> None:
    _, token = await invite(house, bob.email)
    await house.accept(house.by(bob.id), token=token)
    await house.remove(house.by(ann.id), org_id=ORG, user_id=bob.id)
    again = house.accept(house.by(bob.id), token=token)
    assert await refusal(again) == ("INVITATION_USED", "")
    assert await house.standing(org_id=ORG, user_id=bob.id) is None


async def test_an_invitation_takes_nothing_from_a_member(
    house: Any, refusal: Any, ann: Any, bob: Any
) -> None:
    member = house.invite(
        house.by(""), org_id=ORG, email="ANN@example.com", standing=Standing.BILLING
    )
    assert await refusal(member) == ("MEMBER_EXISTS", "")
    _, token = await invite(house, bob.email, Standing.BILLING)
    await house.put(house.caller, org_id=ORG, user_id=bob.id)
    await house.transfer(house.by(ann.id), org_id=ORG, taker=bob.id, for_all=False)
    accepted = house.accept(house.by(bob.id), token=token)
    assert await refusal(accepted) == ("MEMBER_EXISTS", "")
    assert await house.standing(org_id=ORG, user_id=bob.id) is Standing.OWNER


@pytest.mark.usefixtures("ann")
async def test_limits(house: Any, refusal: Any, bob: Any) -> None:
    for number in range(house.policy.organizations.invitations):
        await invite(house, f"{number}@example.com")
    full = house.invite(house.by(""), org_id=ORG, email=bob.email, standing=Standing.MEMBER)
    assert await refusal(full) == ("INVITATION_LIMIT", "")
    _, token = await invite(house, "0@example.com")
    zero = await house.user("0")
    for number in range(house.policy.organizations.members - 1):
        await house.put(house.caller, org_id=ORG, user_id=f"user-{number}")
    full = house.accept(house.by(zero.id), token=token)
    assert await refusal(full) == ("MEMBER_LIMIT", "")


@pytest.mark.parametrize("email", ["", "x", "a@b@c", "a b@c", f"{'a' * 253}@b"])
async def test_an_address_that_is_none(house: Any, refusal: Any, email: str) -> None:
    asked = house.invite(house.by(""), org_id=ORG, email=email, standing=Standing.MEMBER)
    assert await refusal(asked) == ("INVALID_ARGUMENT", "email")


@pytest.mark.parametrize("token", ["", "x", "leaky_invite_", "\ud800"])
async def test_a_token_that_is_none(house: Any, refusal: Any, token: str) -> None:
    assert await refusal(house.accept(house.by("x"), token=token)) == ("INVITATION_NOT_FOUND", "")


async def test_nobody_is_invited_to_what_is_not_there(house: Any, refusal: Any) -> None:
    asked = house.invite(house.by(""), org_id=NOWHERE, email="a@b", standing=Standing.MEMBER)
    assert await refusal(asked) == ("ORG_NOT_FOUND", "")


@pytest.mark.usefixtures("ann")
async def test_an_invitations_life_is_in_the_audit_log_without_its_address(
    house: Any, bob: Any
) -> None:
    before = len(await house.audited())
    lost, _ = await invite(house, bob.email)
    made, token = await invite(house, bob.email, Standing.BILLING)
    other, _ = await invite(house, "other@example.com")
    await house.withdraw(house.caller, org_id=ORG, invitation_id=other.id)
    for _ in range(2):
        await house.accept(house.by(bob.id), token=token)
    lines = (await house.audited())[before:]
    assert [(one.action, one.user_id, one.detail) for one in lines] == [
        (Action.INVITATION_CREATED, "", f"MEMBER {lost.id}"),
        (Action.INVITATION_CREATED, "", f"BILLING {made.id}"),
        (Action.INVITATION_CREATED, "", f"MEMBER {other.id}"),
        (Action.INVITATION_WITHDRAWN, "", other.id),
        (Action.INVITATION_ACCEPTED, bob.id, f"BILLING {made.id}"),
    ]
    assert {one.subject_id for one in lines} == {ORG}
