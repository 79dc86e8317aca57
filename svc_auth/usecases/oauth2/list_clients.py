"""Lists clients."""

from collections.abc import Sequence
from dataclasses import dataclass

from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.ports_oauth2 import OAuthClients


@dataclass(frozen=True, slots=True, kw_only=True)
class ListClients:
    """All registered clients."""

    clients: OAuthClients

    async def __call__(self) -> Sequence[OAuthClient]:
        """Oldest first; the one that `local` brings along is not registered."""
        return await self.clients.clients()
