"""Forgets clients."""

from dataclasses import dataclass

from leaky.common.v1.reason_pb2 import REASON_OAUTH_CLIENT_NOT_FOUND
from mesh.clock import Clock
from mesh.errors import AppError
from svc_auth.ports_oauth2 import OAuthClients
from svc_auth.usecases.finish import finish
from svc_auth.usecases.oauth2.withdraw import Withdraw


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveClient:
    """Forgets a client, and has everybody drop the tokens that it was given."""

    clients: OAuthClients
    withdraw: Withdraw
    clock: Clock

    async def __call__(self, *, client_id: str) -> None:
        """AppError OAUTH_CLIENT_NOT_FOUND for an unknown one."""
        if not await finish(self._remove(client_id)):
            raise AppError(REASON_OAUTH_CLIENT_NOT_FOUND, "no client has this id")

    async def _remove(self, client_id: str) -> bool:
        revoked = await self.clients.remove_client(client_id, at=self.clock.now_us())
        await self.withdraw.announce(revoked or ())
        return revoked is not None
