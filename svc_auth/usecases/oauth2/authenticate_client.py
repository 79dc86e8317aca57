"""Whether a client is the one that it says."""

import hmac
from dataclasses import dataclass, field

from authlib.oauth2.rfc6749 import InvalidClientError

from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.ports import Opaque
from svc_auth.usecases.oauth2.find_client import FindClient

_NO_HASH = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """What a request says of its client."""

    client_id: str
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateClient:
    """Checks client_secret_basic, client_secret_post, and the absence of a secret (`none`)."""

    find: FindClient
    opaque: Opaque

    async def __call__(self, given: ClientCredentials) -> OAuthClient:
        """The client; InvalidClientError that does not say what was wrong."""
        found = await self.find(given.client_id)
        expected = found.secret_hash if found else None
        # Compared also for an unknown client, so that time does not tell which there are.
        right = hmac.compare_digest(self._hash(given), expected or _NO_HASH)
        public = found is not None and expected is None and given.secret is None
        if found is None or not (right or public):
            raise InvalidClientError(description="unknown client or wrong secret", status_code=401)
        return found.client

    def _hash(self, given: ClientCredentials) -> str:
        return self.opaque.hash(given.secret or "")
