"""Which tokens are refused though they have not ended, and which go on."""

from typing import TYPE_CHECKING

import pytest

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_CLIENT,
    REVOCATION_KIND_GRANT,
    REVOCATION_KIND_SESSIONS,
    REVOCATION_KIND_TOKEN,
    REVOCATION_KIND_USER,
    RevocationKind,
)
from leaky.common.v1.reason_pb2 import (
    REASON_UNAUTHENTICATED,
)
from mesh.identity.bearer import Proof
from mesh.identity.principal import Principal
from mesh.identity.refused_tokens import RefusedTokens
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


async def test_what_a_client_was_given_before_ends_and_what_comes_after_does_not(
    world: World, auth: "Auth", clock: "Hands"
) -> None:
    before = auth.token(client_id="app-1")
    others, none = auth.token(client_id="app-2"), auth.token()
    await world.with_token(before)
    clock.forward(0.5)
    world.bearer.drop(revoked(REVOCATION_KIND_CLIENT, "app-1", clock))
    refusal = await world.refusal({"authorization": f"Bearer {before}"})
    assert refusal == REASON_UNAUTHENTICATED
    for token in (others, none, auth.token(client_id="app-1", iat=clock.us / 1_000_000)):
        await world.with_token(token)


async def test_a_whole_family_is_revoked_by_its_grant(world: World, auth: "Auth") -> None:
    family = [auth.token(client_id="app-1", grant_id="grant-1") for _ in range(3)]
    other = auth.token(client_id="app-1", grant_id="grant-2")
    await world.with_token(family[0])
    world.bearer.drop(revoked(REVOCATION_KIND_GRANT, "grant-1", auth.clock))
    for token in family:
        refusal = await world.refusal({"authorization": f"Bearer {token}"})
        assert refusal == REASON_UNAUTHENTICATED
    await world.with_token(other)


async def test_more_revocations_than_there_is_room_for_bring_no_token_back(clock: "Hands") -> None:
    refused = RefusedTokens(clock, capacity=16)
    before = clock.us
    for number in range(100):
        clock.forward(1)
        refused.add(revoked(REVOCATION_KIND_TOKEN, f"jti-{number}", clock))
    for number in range(100):
        issued = before + number * 1_000_000
        assert refused.refuses(Principal(user_id="u", token_id=f"jti-{number}", issued_us=issued))
    # What is younger than the forgotten ones, and not revoked, goes on.
    assert not refused.refuses(Principal(user_id="u", token_id="other", issued_us=clock.us))
    # Those that have ended make room without harm to anybody.
    clock.forward(8_000)
    floor = refused._tokens.floor
    refused.add(revoked(REVOCATION_KIND_TOKEN, "late", clock))
    for number in range(15):
        refused.add(revoked(REVOCATION_KIND_TOKEN, f"later-{number}", clock))
    assert refused._tokens.floor == floor


async def _proof(world: World, auth: "Auth") -> Proof:
    return await world.bearer.verify(auth.token())
