import asyncio
from typing import TYPE_CHECKING

import pytest

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_MEMBERSHIP,
    REVOCATION_KIND_USER,
)
from leaky.common.v1.reason_pb2 import (
    REASON_INVALID_ARGUMENT,
    REASON_PERMISSION_DENIED,
    REASON_UNAVAILABLE,
)
from mesh.errors import AppError
from mesh.identity.memberships import Membership, Memberships
from mesh.identity.pulse import Pulse
from mesh.identity.revoked import Revoked

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio
MEMBER = Membership("MEMBER")
OWNER = Membership("OWNER")
STRANGER = Membership("")


@pytest.fixture
def pulse(clock: "Hands") -> Pulse:
    pulse = Pulse(clock)
    pulse.beat()
    return pulse


@pytest.fixture
def memberships(auth: "Auth", clock: "Hands", pulse: Pulse) -> Memberships:
    return Memberships(channel=auth.channel(), clock=clock, pulse=pulse)


async def test_svc_auth_says_who_belongs(memberships: Memberships, auth: "Auth") -> None:
    auth.members = {("org-1", "user-1"): "MEMBER", ("org-1", "user-2"): "OWNER"}
    assert await memberships.of(org_id="org-1", user_id="user-1") == MEMBER
    assert await memberships.of(org_id="org-1", user_id="user-2") == OWNER
    assert await memberships.of(org_id="org-2", user_id="user-2") == STRANGER


async def test_a_membership_is_remembered_briefly(
    memberships: Memberships, auth: "Auth", clock: "Hands", pulse: Pulse
) -> None:
    auth.members = {("org-1", "user-1"): "MEMBER"}
    for _ in range(3):
        await memberships.of(org_id="org-1", user_id="user-1")
    assert auth.calls["GetMembership"] == 1
    clock.forward(30)
    pulse.beat()
    await memberships.of(org_id="org-1", user_id="user-1")
    assert auth.calls["GetMembership"] == 2


async def test_a_new_member_is_let_in_soon(
    memberships: Memberships, auth: "Auth", clock: "Hands"
) -> None:
    assert await memberships.of(org_id="org-1", user_id="user-1") == STRANGER
    auth.members = {("org-1", "user-1"): "MEMBER"}
    assert await memberships.of(org_id="org-1", user_id="user-1") == STRANGER
    clock.forward(1)
    assert await memberships.of(org_id="org-1", user_id="user-1") == MEMBER


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (REVOCATION_KIND_MEMBERSHIP, "org-1/user-1"),
        (REVOCATION_KIND_MEMBERSHIP, "ORG-1/USER-1"),
        (REVOCATION_KIND_USER, "user-1"),
    ],
)
async def test_an_ended_membership_is_dropped_at_once(
    memberships: Memberships, auth: "Auth", kind: int, subject: str
) -> None:
    auth.members = {("org-1", "user-1"): "MEMBER", ("org-2", "user-2"): "MEMBER"}
    await memberships.of(org_id="org-1", user_id="user-1")
    await memberships.of(org_id="org-2", user_id="user-2")
    auth.members.clear()
    memberships.drop(Revoked(kind=kind, subject=subject))  # type: ignore[arg-type]  # an enum's value in a parameter
    assert await memberships.of(org_id="org-1", user_id="user-1") == STRANGER
    assert await memberships.of(org_id="org-2", user_id="user-2") == MEMBER


async def test_an_api_key_ends_no_membership(memberships: Memberships, auth: "Auth") -> None:
    await memberships.of(org_id="org-1", user_id="user-1")
    memberships.drop(Revoked(kind=REVOCATION_KIND_API_KEY, subject="user-1"))
    await memberships.of(org_id="org-1", user_id="user-1")
    assert auth.calls["GetMembership"] == 1


async def test_an_answer_that_a_revocation_overtook_is_not_kept(
    memberships: Memberships, auth: "Auth"
) -> None:
    auth.members = {("org-1", "user-1"): "MEMBER"}
    auth.open.clear()
    early = asyncio.create_task(memberships.of(org_id="org-1", user_id="user-1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    auth.members.clear()
    memberships.drop(Revoked(kind=REVOCATION_KIND_MEMBERSHIP, subject="org-1/user-1"))
    auth.open.set()
    assert await early == MEMBER
    assert await memberships.of(org_id="org-1", user_id="user-1") == STRANGER


async def test_silence_means_asking_every_time(
    memberships: Memberships, auth: "Auth", clock: "Hands"
) -> None:
    auth.members = {("org-1", "user-1"): "MEMBER"}
    await memberships.of(org_id="org-1", user_id="user-1")
    clock.forward(4)
    await memberships.of(org_id="org-1", user_id="user-1")
    assert auth.calls["GetMembership"] == 2


async def test_who_has_no_users_id_belongs_nowhere(memberships: Memberships, auth: "Auth") -> None:
    auth.error = AppError(REASON_INVALID_ARGUMENT, "user_id must be a UUID")
    auth.down = True
    assert await memberships.of(org_id="org-1", user_id="an-application") == STRANGER


async def test_svc_auth_away_is_503(memberships: Memberships, auth: "Auth") -> None:
    for error in (None, AppError(REASON_PERMISSION_DENIED, "not you")):
        auth.down, auth.error = True, error
        with pytest.raises(AppError) as refused:
            await memberships.of(org_id="org-1", user_id="user-1")
        assert refused.value.reason == REASON_UNAVAILABLE
