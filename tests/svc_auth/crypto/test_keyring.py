import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from mesh.identity.jose import thumbprint
from mesh.settings.source import SettingsError
from svc_auth.crypto.keyring import Keyring, Lifetimes, open_keyring
from svc_auth.crypto.vault import Vault
from svc_auth.domain.caller import OPERATOR
from svc_auth.stores.stores import AuthStores

pytestmark = pytest.mark.anyio
SECRET = "a secret of the tests"
LIFETIMES = Lifetimes(
    tokens={"RS256": 3_600_000_000, "ES256": 120_000_000}, publish_before=600_000_000
)


async def test_the_keys_stay_the_same_over_restarts(
    keyring: Keyring, store: AuthStores, clock: Any
) -> None:
    again = await open_keyring(store.signing_keys, Vault(SECRET), clock, LIFETIMES)
    assert (again.session, again.mesh) == (keyring.session, keyring.mesh)


async def test_first_starts_at_once_end_up_with_the_same_keys(
    store: AuthStores, clock: Any
) -> None:
    starts = (open_keyring(store.signing_keys, Vault(SECRET), clock, LIFETIMES) for _ in range(3))
    first, *others = await asyncio.gather(*starts)
    assert [ring.session for ring in others] == [first.session] * 2
    assert [ring.mesh for ring in others] == [first.mesh] * 2


async def test_another_encryption_key_is_said_so(
    keyring: Keyring, store: AuthStores, clock: Any
) -> None:
    with pytest.raises(SettingsError, match=r"auth\.keys\.encryption-key does not open"):
        await open_keyring(store.signing_keys, Vault("another secret"), clock, LIFETIMES)
    again = await open_keyring(store.signing_keys, Vault(SECRET), clock, LIFETIMES)
    assert (again.session, again.mesh) == (keyring.session, keyring.mesh)


async def test_the_key_set_shows_the_public_halves_only(keyring: Keyring) -> None:
    rsa, ec = json.loads(keyring.jwks)["keys"]
    assert (rsa["kty"], rsa["alg"], rsa["use"]) == ("RSA", "RS256", "sig")
    assert (ec["kty"], ec["alg"], ec["crv"], ec["use"]) == ("EC", "ES256", "P-256", "sig")
    assert [rsa["kid"], ec["kid"]] == [keyring.session.kid, keyring.mesh.kid]
    assert [rsa["kid"], ec["kid"]] == [
        thumbprint(key.pem) for key in (keyring.session, keyring.mesh)
    ]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & (set(rsa) | set(ec))


async def opened(store: AuthStores, clock: Any, **changes: Any) -> Keyring:
    return await open_keyring(
        store.signing_keys, Vault(SECRET), clock, replace(LIFETIMES, **changes)
    )


def published(keyring: Keyring) -> list[str]:
    return [key["kid"] for key in json.loads(keyring.jwks)["keys"]]


async def test_the_next_keys_are_published_before_they_sign(keyring: Keyring, clock: Any) -> None:
    old = (keyring.session.kid, keyring.mesh.kid)
    lives = await keyring.rotate(OPERATOR)
    assert [life.active_at for life in lives] == [clock.now + LIFETIMES.publish_before] * 2
    assert set(published(keyring)) == {*old, *(life.kid for life in lives)}
    clock.now += LIFETIMES.publish_before - 1
    assert (keyring.session.kid, keyring.mesh.kid) == old
    clock.now += 1
    assert (keyring.session.kid, keyring.mesh.kid) == tuple(life.kid for life in lives)
    assert set(published(keyring)) == {*old, *(life.kid for life in lives)}


async def test_keys_that_wait_are_not_followed_by_others(keyring: Keyring, clock: Any) -> None:
    first = await keyring.rotate(OPERATOR)
    assert await keyring.rotate(OPERATOR) == first
    clock.now += LIFETIMES.publish_before
    second = await keyring.rotate(OPERATOR)
    assert [life.generation for life in second] == [3, 3]


async def test_an_old_key_stays_until_its_last_token_has_ended(
    keyring: Keyring, clock: Any
) -> None:
    rsa, ec = keyring.session.kid, keyring.mesh.kid
    await keyring.rotate(OPERATOR)
    clock.now += LIFETIMES.publish_before
    # From here on the others sign: two minutes for the mesh's, an hour for clients'.
    margin = LIFETIMES.publish_before
    clock.now += LIFETIMES.tokens["ES256"] + margin - 1
    assert ec in published(keyring)
    clock.now += 1
    assert ec not in published(keyring)
    assert keyring.find(ec) is None
    assert rsa in published(keyring)
    clock.now += LIFETIMES.tokens["RS256"] - LIFETIMES.tokens["ES256"]
    assert rsa not in published(keyring)
    await keyring.forget_retired()
    assert sorted(life.generation for life in keyring.lives) == [2, 2]


async def test_the_longest_lifetime_that_any_process_had_counts(
    store: AuthStores, clock: Any
) -> None:
    longer = {"RS256": 9 * LIFETIMES.tokens["RS256"], "ES256": 1}
    await opened(store, clock, tokens=longer)
    keyring = await opened(store, clock)
    rsa = keyring.session.kid
    await keyring.rotate(OPERATOR)
    clock.now += 2 * LIFETIMES.publish_before + longer["RS256"] - 1
    assert rsa in published(keyring)
    clock.now += 1
    assert rsa not in published(keyring)


async def test_processes_on_one_store_change_over_together(
    keyring: Keyring, store: AuthStores, clock: Any
) -> None:
    other = await opened(store, clock)
    lives, others = await asyncio.gather(keyring.rotate(OPERATOR), other.rotate(OPERATOR))
    assert lives == others
    third = await opened(store, clock)
    for _ in range(2):
        assert {each.session.kid for each in (keyring, other, third)} == {keyring.session.kid}
        assert keyring.jwks == other.jwks == third.jwks
        clock.now += LIFETIMES.publish_before
    assert third.session.kid == lives[0].kid


async def test_a_rotation_is_due_so_that_the_next_key_signs_in_time(
    keyring: Keyring, clock: Any
) -> None:
    month = 30 * 86_400_000_000
    clock.now += month - LIFETIMES.publish_before - 1
    assert not keyring.due(month)
    clock.now += 1
    assert keyring.due(month)
    await keyring.rotate(OPERATOR)
    assert not keyring.due(month)


async def test_who_signs_longer_tokens_says_so_of_a_key_that_another_process_made(
    store: AuthStores, clock: Any
) -> None:
    longer = {"RS256": 9 * LIFETIMES.tokens["RS256"], "ES256": 1}
    stays = await opened(store, clock, tokens=longer)
    shortened = await opened(store, clock)
    rsa, _ = await shortened.rotate(OPERATOR)
    # Its worker looks before the key signs.
    await stays.refresh()
    clock.now += LIFETIMES.publish_before
    assert stays.session.kid == rsa.kid
    kept = await store.signing_keys.signing_keys()
    assert {each.life.longest_lifetime for each in kept if each.life.alg == "RS256"} == {
        longer["RS256"]
    }
