"""Looks up clients."""

from collections.abc import Callable
from dataclasses import dataclass

from svc_auth.domain.text import storable
from svc_auth.ports_oauth2 import OAuthClients, Registered


@dataclass(frozen=True, slots=True, kw_only=True)
class FindClient:
    """A registered client, or the one that `local` brings along."""

    clients: OAuthClients
    # What exists without having been registered; None where nothing does.
    built_in: Callable[[], Registered | None]

    async def __call__(self, client_id: str) -> Registered | None:
        """The client and its secret's hash."""
        # What no store can hold is unknown, and no fault.
        found = await self.clients.find_client(client_id) if storable(client_id) else None
        if found is not None:
            return found
        built_in = self.built_in()
        return built_in if built_in and built_in.client.id == client_id else None
