"""What `leaky admin client` and `leaky admin keys` run, whether or not the service is up.

All raise AppError for what is refused; SettingsError or WrongDataError when the
store cannot be opened.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mesh.clock import SystemClock
from svc_auth.admin import end_access
from svc_auth.crypto.opaque import OpaqueTexts
from svc_auth.domain.caller import OPERATOR
from svc_auth.settings import AuthSettings
from svc_auth.usecases.oauth2.list_clients import ListClients
from svc_auth.usecases.oauth2.register_client import RegisterClient, Registration
from svc_auth.usecases.oauth2.remove_client import RemoveClient
from svc_auth.usecases.oauth2.rotate_secret import RotateSecret
from svc_auth.wiring import keyring_of, open_stores

CLOCK = SystemClock()


async def create_client(
    settings: AuthSettings,
    *,
    client_id: str,
    name: str,
    public: bool,
    redirect_uris: Sequence[str],
    scopes: Sequence[str],
    grant_types: Sequence[str],
    require_pkce: bool,
    post_logout_redirect_uris: Sequence[str] = (),
) -> tuple[str, str | None]:
    """The new client's id and its secret, which a public one has not."""
    async with open_stores(settings) as store:
        register = RegisterClient(clients=store.oauth_clients, opaque=OpaqueTexts(), clock=CLOCK)
        wanted = Registration(
            client_id=client_id,
            name=name,
            public=public,
            redirect_uris=tuple(redirect_uris),
            scopes=tuple(scopes),
            grant_types=tuple(grant_types),
            require_pkce=require_pkce,
            post_logout_redirect_uris=tuple(post_logout_redirect_uris),
        )
        client, shown = await register(OPERATOR, wanted)
    return client.id, shown


async def list_clients(settings: AuthSettings) -> list[dict[str, Any]]:
    """All clients, oldest first; times in microseconds."""
    async with open_stores(settings) as store:
        return [asdict(client) for client in await ListClients(clients=store.oauth_clients)()]


async def rotate_secret(settings: AuthSettings, *, client_id: str) -> str:
    """The client's new secret."""
    async with open_stores(settings) as store:
        rotate = RotateSecret(
            clients=store.oauth_clients,
            opaque=OpaqueTexts(),
            end=end_access(store),
            clock=CLOCK,
        )
        return await rotate(OPERATOR, client_id=client_id)


async def remove_client(settings: AuthSettings, *, client_id: str) -> None:
    """Forgets the client and takes back all tokens that it was given."""
    async with open_stores(settings) as store:
        remove = RemoveClient(
            clients=store.oauth_clients,
            end=end_access(store),
            clock=CLOCK,
        )
        await remove(OPERATOR, client_id=client_id)


async def rotate_keys(settings: AuthSettings) -> list[dict[str, Any]]:
    """The keys that will sign next; times in microseconds."""
    async with open_stores(settings) as store:
        keyring = await keyring_of(settings, store, CLOCK)
        return [asdict(life) for life in await keyring.rotate(OPERATOR)]
