"""Gives clients new secrets."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_OAUTH_CLIENT_NOT_FOUND
from mesh.errors import AppError
from svc_auth.ports_oauth2 import OAuthClients, Opaque


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    """Has a new secret count, and the old one no more."""

    clients: OAuthClients
    opaque: Opaque

    async def __call__(self, *, client_id: str) -> str:
        """The new secret; AppError OAUTH_CLIENT_NOT_FOUND, also for a public client."""
        secret = self.opaque.new_secret()
        if not await self.clients.replace_secret(client_id, self.opaque.hash(secret)):
            raise AppError(REASON_OAUTH_CLIENT_NOT_FOUND, "no client with a secret has this id")
        return secret
