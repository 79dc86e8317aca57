"""JWTs: verified once, then remembered until they end."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mesh.clock import Clock
from mesh.identity import jose
from mesh.identity.jwks import KeySet
from mesh.identity.lru import Lru
from mesh.identity.principal import Principal
from mesh.identity.refused_tokens import RefusedTokens
from mesh.identity.revoked import Revoked
from mesh.identity.scopes import limits_of

API_AUDIENCE = "leaky-api"
MESH_AUDIENCE = "leaky-mesh"
_CAPACITY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whom a token stands for, and until when, in microseconds since the epoch."""

    principal: Principal
    until_us: int


class Bearer:
    """Reads the tokens that svc_auth signs; needs it only for keys not seen yet."""

    def __init__(self, *, keys: KeySet, issuer: str, oauth_issuer: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._oauth_issuer = oauth_issuer
        self._clock = clock
        self._proven: Lru[str, Principal] = Lru(_CAPACITY)
        self._refused = RefusedTokens(clock)
        self._version = keys.version

    def known(self, token: str) -> Principal | None:
        """Whom the token is known to stand for; None for one that has to be verified."""
        if self._version != self._keys.version:
            self._version = self._keys.version
            self._proven.clear()
        return self._proven.get(token, now=self._clock.now_us())

    async def principal(self, token: str) -> Principal:
        """Whom the token stands for. Raises InvalidToken, or UNAVAILABLE for want of keys."""
        held = self.known(token)
        if held is not None:
            return held
        proof = await self.verify(token)
        self._proven.put(token, proof.principal, until=proof.until_us)
        return proof.principal

    async def verify(
        self, token: str, audiences: Collection[str] = (API_AUDIENCE, MESH_AUDIENCE)
    ) -> Proof:
        """The same without memory.

        Session and mesh tokens are of the one issuer, OAuth2 access tokens
        (RFC 9068) of the other; what is of neither kind, such as an ID token,
        has the wrong issuer for its type.
        """
        jwk = await self._keys.find(jose.key_id(token))
        oauth = jose.token_type(token) == jose.AT_JWT
        claims = jose.verify(
            token,
            jwk=jwk,
            issuer=self._oauth_issuer if oauth else self._issuer,
            audiences=audiences,
            now_us=self._clock.now_us(),
        )
        principal = _principal(claims, token)
        why = self._refused.refuses(principal)
        if why:
            raise jose.InvalidToken(why)
        return Proof(principal=principal, until_us=principal.until_us)

    def drop(self, revoked: Revoked) -> None:
        """Refuses from here on the tokens that this ends."""
        if not self._refused.add(revoked):
            return
        # Whoever logs out has all caches looked through: what it cannot be about is passed over.
        every, refuses = self._refused.floored, self._refused.refuses
        self._proven.discard(
            lambda _, held: (every or revoked.subject in _ids(held)) and bool(refuses(held))
        )

    def clear(self) -> None:
        """Forgets whom tokens stood for; they are verified again."""
        self._proven.clear()


def _ids(held: Principal) -> tuple[str, ...]:
    return held.token_id, held.user_id, held.api_key_id, held.grant_id, held.client_id


def _principal(claims: dict[str, Any], token: str) -> Principal:
    providers = _names(claims, "providers") if "providers" in claims else None
    return Principal(
        user_id=claims["sub"],
        username=_text(claims, "username"),
        roles=frozenset(_names(claims, "roles")),
        scopes=limits_of(_text(claims, "scope")),
        providers=None if providers is None else frozenset(providers),
        api_key_id=_text(claims, "key_id"),
        client_id=_text(claims, "client_id"),
        grant_id=_text(claims, "grant_id"),
        token_id=claims["jti"],
        issued_us=round(claims["iat"] * 1_000_000),
        until_us=int(claims["exp"] * 1_000_000),
        token=token,
    )


def _names(claims: dict[str, Any], name: str) -> list[str]:
    names = claims.get(name, [])
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise jose.InvalidToken(f"{name} are no list of names")
    return names


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise jose.InvalidToken(f"{name} is no text")
    return value
