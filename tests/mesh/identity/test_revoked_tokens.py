"""Which tokens are refused though they have not ended, and which go on."""

from typing import TYPE_CHECKING

import pytest

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_SESSIONS,
    REVOCATION_KIND_TOKEN,
    REVOCATION_KIND_USER,
    RevocationKind,
)
from leaky.common.v1.reason_pb2 import (
    REASON_UNAUTHENTICATED,
)
from mesh.identity.bearer import Proof
from mesh.identity.revoked import Revoked
from tests.mesh.identity.world import KEY, World

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(auth: "Auth", clock: "Hands") -> World:
    return World(auth, clock)


@pytest.fixture
def key_id(auth: "Auth") -> str:
    return auth.issue(KEY, "user-7", ["USER", "ADMIN"])


def revoked(kind: RevocationKind.ValueType, subject: str, clock: "Hands") -> Revoked:
    return Revoked(kind=kind, subject=subject, at_us=clock.us, until_us=clock.us + 3_600_000_000)


async def test_one_token_is_revoked_and_its_siblings_are_not(
    world: World, auth: "Auth", clock: "Hands"
) -> None:
    for seen in (True, False):
        gone, other = auth.token(), auth.token()
        if seen:
            await world.with_token(gone)
        jti = (await world.bearer.verify(gone)).principal.token_id
        world.bearer.drop(revoked(REVOCATION_KIND_TOKEN, jti, clock))
        refusal = await world.refusal({"authorization": f"Bearer {gone}"})
        assert refusal == REASON_UNAUTHENTICATED
        await world.with_token(other)
    # Forgetting whom tokens stood for does not bring them back.
    world.bearer.clear()
    assert await world.refusal({"authorization": f"Bearer {gone}"}) == REASON_UNAUTHENTICATED


@pytest.mark.parametrize("kind", [REVOCATION_KIND_USER, REVOCATION_KIND_SESSIONS])
async def test_what_a_user_was_given_before_ends_and_what_comes_after_does_not(
    world: World, auth: "Auth", clock: "Hands", kind: RevocationKind.ValueType
) -> None:
    before, unseen = auth.token(), auth.token(iat=(clock.us + 499_999) / 1_000_000)
    others = auth.token(sub="user-2")
    await world.with_token(before)
    clock.forward(0.5)
    world.bearer.drop(revoked(kind, "user-1", clock))
    # Told late, or again, it brings nothing back.
    world.bearer.drop(Revoked(kind=kind, subject="user-1", at_us=1, until_us=2))
    for token in (before, unseen):
        refusal = await world.refusal({"authorization": f"Bearer {token}"})
        assert refusal == REASON_UNAUTHENTICATED
    await world.with_token(others)
    # In the same second, and yet after.
    await world.with_token(auth.token(iat=clock.us / 1_000_000))


async def test_tokens_made_from_keys_outlive_a_users_sessions_and_not_the_user(
    world: World, auth: "Auth", clock: "Hands", key_id: str
) -> None:
    assert key_id
    exchanged = (await world.with_key()).token
    clock.forward(1)
    world.bearer.drop(revoked(REVOCATION_KIND_SESSIONS, "user-7", clock))
    await world.with_token(exchanged)
    world.bearer.drop(revoked(REVOCATION_KIND_USER, "user-7", clock))
    token = {"authorization": f"Bearer {exchanged}"}
    assert await world.refusal(token) == REASON_UNAUTHENTICATED
    world.api_keys.drop(revoked(REVOCATION_KIND_USER, "user-7", clock))
    assert (await world.with_key()).api_key_id == auth.api_keys[KEY].id


async def test_a_revocation_is_remembered_until_what_it_ends_has_ended(
    world: World, auth: "Auth", clock: "Hands"
) -> None:
    token = auth.token()
    clock.forward(1)
    world.bearer.drop(revoked(REVOCATION_KIND_USER, "user-1", clock))
    clock.forward(3598)
    refusal = await world.refusal({"authorization": f"Bearer {token}"})
    assert refusal == REASON_UNAUTHENTICATED
    clock.forward(3600)
    assert world.bearer._refused.refuses((await _proof(world, auth)).principal) == ""


async def _proof(world: World, auth: "Auth") -> Proof:
    return await world.bearer.verify(auth.token())
