"""The keys that tokens are signed with, made at the first start."""

import asyncio
import json
from dataclasses import dataclass

from mesh.clock import Clock
from mesh.identity.jose import ES256, RS256, SigningKey, generate, public_jwk
from mesh.settings.source import SettingsError
from svc_auth.crypto.vault import Vault, VaultError
from svc_auth.ports import SealedKey, SigningKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """`session` signs tokens for clients (RS256), `mesh` those for the services (ES256)."""

    session: SigningKey
    mesh: SigningKey

    @property
    def jwks(self) -> bytes:
        """The public halves as a JWK set (RFC 7517), in JSON."""
        keys = [public_jwk(key) for key in (self.session, self.mesh)]
        return json.dumps({"keys": keys}, separators=(",", ":")).encode()


async def open_keyring(store: SigningKeys, vault: Vault, clock: Clock) -> Keyring:
    """The keys of the store. Raises SettingsError when the vault does not open them."""
    return Keyring(
        session=await _signing_key(RS256, store, vault, clock),
        mesh=await _signing_key(ES256, store, vault, clock),
    )


async def _signing_key(alg: str, store: SigningKeys, vault: Vault, clock: Clock) -> SigningKey:
    found = await store.find_signing_key(alg)
    if found is None:
        made = await asyncio.to_thread(generate, alg)
        found = await store.adopt_signing_key(_sealed(made, vault, clock.now_us()))
    try:
        pem = vault.open(found.sealed, about=_about(found.alg, found.kid))
    except VaultError as error:
        message = f"auth.keys.encryption-key does not open the {alg} key in auth.store: {error}"
        raise SettingsError(message) from error
    return SigningKey(kid=found.kid, alg=found.alg, pem=pem)


def _sealed(key: SigningKey, vault: Vault, now: int) -> SealedKey:
    sealed = vault.seal(key.pem, about=_about(key.alg, key.kid))
    return SealedKey(kid=key.kid, alg=key.alg, sealed=sealed, created_at=now)


def _about(alg: str, kid: str) -> str:
    return f"{alg} {kid}"
