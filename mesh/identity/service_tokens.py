"""How services prove themselves to each other: a short JWT under the system's shared secret."""

import hashlib
import secrets
from collections.abc import Mapping

from mesh.clock import Clock
from mesh.identity import jose
from mesh.identity.lru import Lru

HEADER = "x-leaky-service"
ISSUER = "leaky-mesh"
AUDIENCE = "leaky-mesh"
LIFETIME_SECONDS = 60
_RENEW_SECONDS = 30
_SECOND_US = 1_000_000
_KNOWN = 256
_SHORTEST_SECRET = 16


class ServiceTokens:
    """Makes this service's token and reads those of others."""

    def __init__(self, *, service: str, secret: str, clock: Clock) -> None:
        if len(secret) < _SHORTEST_SECRET:
            message = f"mesh.secret needs at least {_SHORTEST_SECRET} characters"
            raise ValueError(message)
        self._service = service
        self._secret = secret
        self._clock = clock
        self._own: Mapping[str, str] = {}
        self._renew_at_us = 0
        self._verified: Lru[bytes, str] = Lru(_KNOWN)

    def metadata(self) -> Mapping[str, str]:
        """The header that outgoing calls carry; made anew once half its life is over."""
        now_us = self._clock.now_us()
        if not self._renew_at_us - _RENEW_SECONDS * _SECOND_US <= now_us < self._renew_at_us:
            self._own = {HEADER: self._mint(now_us)}
            self._renew_at_us = now_us + _RENEW_SECONDS * _SECOND_US
        return self._own

    def caller(self, token: str) -> str:
        """The service that made the token, such as "token". Raises InvalidToken."""
        now_us = self._clock.now_us()
        digest = hashlib.sha256(token.encode()).digest()
        return self._verified.get(digest, now=now_us) or self._verify(token, digest, now_us)

    def _mint(self, now_us: int) -> str:
        issued = now_us // _SECOND_US
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": self._service,
            "jti": secrets.token_hex(16),
            "iat": issued,
            "exp": issued + LIFETIME_SECONDS,
        }
        return jose.sign_shared(claims, secret=self._secret)

    def _verify(self, token: str, digest: bytes, now_us: int) -> str:
        claims = jose.verify_shared(
            token, secret=self._secret, issuer=ISSUER, audiences=(AUDIENCE,), now_us=now_us
        )
        name = str(claims["sub"])
        self._verified.put(digest, name, until=claims["exp"] * _SECOND_US)
        return name
