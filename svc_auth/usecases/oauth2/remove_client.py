"""Forgets clients."""

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
from svc_auth.ports_oauth2 import OAuthClients
from svc_auth.usecases.end_access import EndAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveClient:
    """Forgets a client, and has everybody drop the tokens that it was given."""

    clients: OAuthClients
    end: EndAccess
    clock: Clock

    async def __call__(self, caller: Caller, *, client_id: str) -> None:
        """AppError OAUTH_CLIENT_NOT_FOUND for an unknown one."""
        now = self.clock.now_us()
        revoked = of_client(client_id, at=now, lifetime=await self.end.lifetime())
        entry = client_entry(caller, Action.OAUTH_CLIENT_REMOVED, client_id, at=now)
        if not storable(client_id) or not await self.clients.remove_client(
            client_id, record=Record(entry=entry, revocations=(revoked,))
        ):
            raise AppError(REASON_OAUTH_CLIENT_NOT_FOUND, "no client has this id")
        await self.end(revoked)
