"""Mints the tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Ids
from mesh.identity.jose import SigningKey, sign
from svc_auth.crypto.keyring import Keyring
from svc_auth.domain.claims import API_AUDIENCE, MESH_AUDIENCE, SECOND, Subject, Token, claims
from svc_auth.settings import ClientJwt

MESH_LIFETIME = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Minter:
    """Implements Tokens."""

    keyring: Keyring
    jwt: Callable[[], ClientJwt]
    ids: Ids

    def session(self, subject: Subject, *, at: int) -> Token:
        """A token for clients, living auth.jwt.expiry."""
        ends = (at // SECOND + int(self.jwt().expiry)) * SECOND
        return self._mint(subject, self.keyring.session, API_AUDIENCE, at=at, ends=ends)

    def mesh(self, subject: Subject, *, at: int, not_after: int | None) -> Token:
        """A token for the services, living two minutes and not past `not_after`."""
        ends = (at // SECOND + MESH_LIFETIME) * SECOND
        if not_after is not None:
            ends = min(ends, not_after // SECOND * SECOND)
        return self._mint(subject, self.keyring.mesh, MESH_AUDIENCE, at=at, ends=ends)

    def _mint(
        self, subject: Subject, key: SigningKey, audience: str, *, at: int, ends: int
    ) -> Token:
        said = claims(
            subject,
            issuer=self.jwt().issuer,
            audience=audience,
            token_id=self.ids.new(),
            issued_at=at,
            expires_at=ends,
        )
        return Token(text=sign(said, key=key), expires_at=ends)
