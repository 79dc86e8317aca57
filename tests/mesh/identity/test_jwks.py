import asyncio
from typing import TYPE_CHECKING

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.identity import jose
from mesh.identity.jose import InvalidToken
from mesh.identity.jwks import REFRESH_SECONDS, KeySet

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio


@pytest.fixture
def keys(auth: "Auth", clock: "Hands") -> KeySet:
    return KeySet(channel=auth.channel(), clock=clock)


async def test_the_set_is_fetched_once_for_all_who_wait(keys: KeySet, auth: "Auth") -> None:
    auth.open.clear()
    waiting = [asyncio.create_task(keys.find(auth.login.kid)) for _ in range(5)]
    await asyncio.sleep(0)
    auth.open.set()
    assert [key["alg"] for key in await asyncio.gather(*waiting)] == ["RS256"] * 5
    assert (await keys.find(auth.mesh.kid))["alg"] == "ES256"
    assert auth.calls["GetJwks"] == 1


async def test_who_comes_while_the_worker_tries_again_waits_for_it(
    keys: KeySet, auth: "Auth"
) -> None:
    async def pause(_: float) -> None:
        auth.down = False
        auth.open.clear()

    auth.down = True
    worker = asyncio.create_task(keys.run(pause))
    async with asyncio.timeout(30):
        while auth.calls["GetJwks"] < 2:  # noqa: ASYNC110 the loop's next turn is waited for
            await asyncio.sleep(0)
        asking = asyncio.create_task(keys.find(auth.login.kid))
        await asyncio.sleep(0)
        worker.cancel()
        auth.open.set()
        assert (await asking)["kid"] == auth.login.kid


async def test_invented_key_ids_cost_svc_auth_little(
    keys: KeySet, auth: "Auth", clock: "Hands"
) -> None:
    for number in range(20):
        with pytest.raises(InvalidToken, match="unknown key"):
            await keys.find(f"invented-{number}")
    assert auth.calls["GetJwks"] == 1
    clock.forward(2)
    for number in range(20):
        with pytest.raises(InvalidToken, match="unknown key"):
            await keys.find(f"invented-{number}")
    assert auth.calls["GetJwks"] == 2


async def test_a_new_key_is_found_when_its_id_turns_up(
    keys: KeySet, auth: "Auth", clock: "Hands"
) -> None:
    await keys.find(auth.login.kid)
    new = jose.generate("ES256")
    auth.published.append(new)
    clock.forward(2)
    assert await keys.find(new.kid) == jose.public_jwk(new)
    assert keys.version == 0


async def test_known_keys_outlive_svc_auth(keys: KeySet, auth: "Auth", clock: "Hands") -> None:
    await keys.find(auth.login.kid)
    auth.down = True
    clock.forward(86_400)
    assert await keys.find(auth.login.kid)
    with pytest.raises(AppError) as unknown:
        await keys.find("unknown")
    assert unknown.value.reason == REASON_UNAVAILABLE
    assert await keys.find(auth.login.kid)


async def test_without_svc_auth_and_keys_nothing_is_known(
    keys: KeySet, auth: "Auth", clock: "Hands"
) -> None:
    auth.down = True
    for _ in range(3):
        with pytest.raises(AppError) as refused:
            await keys.find(auth.login.kid)
        assert refused.value.reason == REASON_UNAVAILABLE
    assert auth.calls["GetJwks"] == 1
    auth.down = False
    clock.forward(0.25)
    assert await keys.find(auth.login.kid)


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": 1}', b"nonsense", b"\xff"])
async def test_nonsense_is_no_key_set(keys: KeySet, auth: "Auth", document: bytes) -> None:
    auth.jwks = document
    with pytest.raises(AppError) as refused:
        await keys.find(auth.login.kid)
    assert refused.value.reason == REASON_UNAVAILABLE


async def test_nonsense_does_not_displace_good_keys(
    keys: KeySet, auth: "Auth", clock: "Hands"
) -> None:
    await keys.find(auth.login.kid)
    auth.jwks = b'{"keys": []}'
    clock.forward(2)
    with pytest.raises(AppError):
        await keys.find("unknown")
    assert await keys.find(auth.login.kid)


async def test_keys_for_other_purposes_are_left_out(keys: KeySet, auth: "Auth") -> None:
    auth.jwks = (
        b'{"keys": [null, {"kid": "a", "alg": "HS256", "kty": "oct", "k": "AA"},'
        b' {"kid": "b", "alg": "RS256", "use": "enc"}, {"alg": "RS256"}, {"kid": "c"},'
        b' {"kid": "good", "alg": "ES256"}]}'
    )
    assert await keys.find("good")
    for kid in ("a", "b", "c"):
        with pytest.raises(InvalidToken):
            await keys.find(kid)


async def test_a_withdrawn_key_is_forgotten_and_counted(
    keys: KeySet, auth: "Auth", clock: "Hands"
) -> None:
    old = jose.generate("ES256")
    auth.published.append(old)
    await keys.find(old.kid)
    auth.published.clear()
    clock.forward(2)
    with pytest.raises(InvalidToken):
        await keys.find("unknown")
    with pytest.raises(InvalidToken):
        await keys.find(old.kid)
    assert keys.version == 1


async def test_the_worker_fetches_ahead_and_tries_again_soon_after_a_failure(
    keys: KeySet, auth: "Auth"
) -> None:
    auth.down = True
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        auth.down = len(waits) < 3
        if len(waits) == 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keys.run(pause)
    assert all(wait <= 2 for wait in waits[:3])
    assert waits[3] == REFRESH_SECONDS
    auth.down = True
    assert await keys.find(auth.login.kid)
