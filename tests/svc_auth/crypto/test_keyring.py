import asyncio
import json
from typing import Any

import pytest

from mesh.identity.jose import thumbprint
from mesh.settings.source import SettingsError
from svc_auth.crypto.keyring import Keyring, Lifetimes, open_keyring
from svc_auth.crypto.vault import Vault
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
