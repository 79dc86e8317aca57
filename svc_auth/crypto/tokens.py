"""Mints the tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock, Ids
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
    clock: Clock
    ids: Ids

    def session(self, subject: Subject) -> Token:
        """A token for clients, living auth.jwt.expiry."""
        return self._mint(subject, self.keyring.session, API_AUDIENCE, int(self.jwt().expiry))

    def mesh(self, subject: Subject, *, not_after: int | None) -> Token:
        """A token for the services, living two minutes and not past `not_after`."""
        return self._mint(subject, self.keyring.mesh, MESH_AUDIENCE, MESH_LIFETIME, not_after)

    def _mint(
        self,
        subject: Subject,
        key: SigningKey,
        audience: str,
        lifetime: int,
        not_after: int | None = None,
    ) -> Token:
        now = self.clock.now_us() // SECOND * SECOND
        ends = now + lifetime * SECOND
        if not_after is not None:
            ends = min(ends, not_after // SECOND * SECOND)
        said = claims(
            subject,
            issuer=self.jwt().issuer,
            audience=audience,
            token_id=self.ids.new(),
            issued_at=now,
            expires_at=ends,
        )
        return Token(text=sign(said, key=key), expires_at=ends)
