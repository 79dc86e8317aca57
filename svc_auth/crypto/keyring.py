"""The keys that tokens are signed with: made at the first start, and rotated with overlap."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.clock import Clock
from mesh.identity.jose import ES256, RS256, SigningKey, generate, public_jwk
from mesh.settings.source import SettingsError
from svc_auth.crypto.vault import Vault, VaultError
from svc_auth.domain import signing
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import SYSTEM, Caller
from svc_auth.domain.record import Record
from svc_auth.domain.signing import KeyLife
from svc_auth.ports import SealedKey, SigningKeys

FIRST_GENERATION = 1
ALGORITHMS = (RS256, ES256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """In microseconds: of the tokens, by the algorithm that signs them, and between keys."""

    tokens: Mapping[str, int]
    # From a key's making to its first signature.
    publish_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    life: KeyLife
    private: SigningKey
    public: dict[str, Any]


class Keyring:
    """The keys as the store had them when it was last looked at.

    Whose turn it is to sign is the clock's word, so that processes on one
    store change over together.
    """

    def __init__(
        self, store: SigningKeys, vault: Vault, clock: Clock, lifetimes: Lifetimes
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._lifetimes = lifetimes
        self._keys: tuple[_Key, ...] = ()

    @property
    def session(self) -> SigningKey:
        """Signs tokens for clients (RS256)."""
        return self._signer(RS256)

    @property
    def mesh(self) -> SigningKey:
        """Signs tokens for the services (ES256)."""
        return self._signer(ES256)

    @property
    def jwks(self) -> bytes:
        """The public halves as a JWK set (RFC 7517), in JSON."""
        keys = [key.public for key in self._published()]
        return json.dumps({"keys": keys}, separators=(",", ":")).encode()

    @property
    def lives(self) -> list[KeyLife]:
        """What is known of each key."""
        return [key.life for key in self._keys]

    def find(self, kid: str) -> Mapping[str, Any] | None:
        """The published key with this id, as a JWK."""
        return next((key.public for key in self._published() if key.life.kid == kid), None)

    async def refresh(self) -> None:
        """Takes over what is in the store by now. Raises SettingsError when it does not open.

        Notes how long the tokens of this process live, also with a key that another
        process made, whose tokens may be shorter.
        """
        await self._read()
        short = [alg for alg in ALGORITHMS if self._is_longer(alg)]
        for alg in short:
            await self._store.lengthen(alg, self._lifetimes.tokens[alg])
        if short:
            await self._read()

    def _is_longer(self, alg: str) -> bool:
        lifetime = self._lifetimes.tokens[alg]
        return any(life.alg == alg and life.longest_lifetime < lifetime for life in self.lives)

    async def _read(self) -> None:
        known = {key.life.kid: key for key in self._keys}
        found = await self._store.signing_keys()
        self._keys = tuple([self._opened(sealed, known) for sealed in found])

    async def open(self) -> None:
        """Makes what is missing."""
        await self.refresh()
        for alg in ALGORITHMS:
            if signing.newest(self.lives, alg) is None:
                now = self._clock.now_us()
                await self._make(SYSTEM, alg, FIRST_GENERATION, active_at=now)
        await self.refresh()

    async def rotate(self, caller: Caller) -> Sequence[KeyLife]:
        """Makes the next key of each algorithm, unless it waits already; the ones that will sign.

        They are published at once and sign `publish_before` later.
        """
        await self.refresh()
        now = self._clock.now_us()
        lives = [await self._next(caller, alg, now) for alg in ALGORITHMS]
        await self.refresh()
        return lives

    def due(self, every: int) -> bool:
        """Whether it is time for a key that signs once the newest has done so for `every`."""
        ahead = self._clock.now_us() + self._lifetimes.publish_before
        lives = (signing.newest(self.lives, alg) for alg in ALGORITHMS)
        return any(life is not None and life.active_at + every <= ahead for life in lives)

    async def forget_retired(self) -> None:
        """Removes keys that no living token was signed with."""
        gone = self._retired()
        if gone:
            await self._store.remove_signing_keys(gone)
            await self.refresh()

    async def _next(self, caller: Caller, alg: str, now: int) -> KeyLife:
        last = signing.newest(self.lives, alg)
        if last is not None and last.active_at > now:
            return last
        generation = last.generation + 1 if last else FIRST_GENERATION
        active_at = now + self._lifetimes.publish_before
        return await self._make(caller, alg, generation, active_at=active_at)

    async def _make(self, caller: Caller, alg: str, generation: int, *, active_at: int) -> KeyLife:
        made = await asyncio.to_thread(generate, alg)
        life = KeyLife(
            kid=made.kid,
            alg=alg,
            generation=generation,
            active_at=active_at,
            longest_lifetime=self._lifetimes.tokens[alg],
        )
        sealed = self._vault.seal(made.pem, about=_about(life))
        now = self._clock.now_us()
        entry = AuditEntry(
            caller=caller,
            action=Action.SIGNING_KEY_MADE,
            subject_kind=SubjectKind.SIGNING_KEY,
            subject_id=made.kid,
            at=now,
            detail=alg,
        )
        key = SealedKey(life=life, sealed=sealed, created_at=now)
        return (await self._store.adopt_signing_key(key, Record(entry=entry))).life

    def _opened(self, sealed: SealedKey, known: Mapping[str, _Key]) -> _Key:
        life = sealed.life
        if life.kid in known:
            old = known[life.kid]
            return _Key(life=life, private=old.private, public=old.public)
        try:
            pem = self._vault.open(sealed.sealed, about=_about(life))
        except VaultError as error:
            message = (
                f"auth.keys.encryption-key does not open the {life.alg} key in auth.store: {error}"
            )
            raise SettingsError(message) from error
        private = SigningKey(kid=life.kid, alg=life.alg, pem=pem)
        return _Key(life=life, private=private, public=public_jwk(private))

    def _signer(self, alg: str) -> SigningKey:
        life = signing.signing(self.lives, alg, self._clock.now_us())
        return next(key.private for key in self._keys if life and key.life.kid == life.kid)

    def _published(self) -> list[_Key]:
        gone = self._retired()
        return [key for key in self._keys if key.life.kid not in gone]

    def _retired(self) -> frozenset[str]:
        margin = self._lifetimes.publish_before
        return signing.retired(self.lives, self._clock.now_us(), margin=margin)


async def open_keyring(
    store: SigningKeys, vault: Vault, clock: Clock, lifetimes: Lifetimes
) -> Keyring:
    """The keys of the store. Raises SettingsError when the vault does not open them."""
    keyring = Keyring(store, vault, clock, lifetimes)
    await keyring.open()
    return keyring


def _about(life: KeyLife) -> str:
    return f"{life.alg} {life.kid}"
