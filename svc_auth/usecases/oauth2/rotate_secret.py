"""Gives clients new secrets."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_OAUTH_CLIENT_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.audit import client_entry
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import of_client
from svc_auth.domain.text import storable
from svc_auth.ports import Opaque
from svc_auth.ports_oauth2 import OAuthClients
from svc_auth.usecases.end_access import EndAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    """Has a new secret count, and neither the old one nor what was got with it.

    What users have allowed goes on: a refresh token is worth nothing without the secret.
    """

    clients: OAuthClients
    opaque: Opaque
    end: EndAccess
    clock: Clock

    async def __call__(self, caller: Caller, *, client_id: str) -> str:
        """The new secret; AppError OAUTH_CLIENT_NOT_FOUND, also for a public client."""
        secret, now = self.opaque.new_secret(), self.clock.now_us()
        entry = client_entry(caller, Action.OAUTH_SECRET_ROTATED, client_id, at=now)
        revoked = of_client(client_id, at=now, lifetime=await self.end.lifetime())
        record = Record(entry=entry, revocations=(revoked,))
        if not storable(client_id) or not await self.clients.replace_secret(
            client_id, self.opaque.hash(secret), record
        ):
            raise AppError(REASON_OAUTH_CLIENT_NOT_FOUND, "no client with a secret has this id")
        await self.end(revoked)
        return secret
