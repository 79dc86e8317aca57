"""OAuth2's clients."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, select, update

from mesh.storage.database import Database
from svc_auth.domain.oauth2.client import GrantType, OAuthClient
from svc_auth.domain.record import Record
from svc_auth.ports_oauth2 import Registered
from svc_auth.stores.sql_insert import insert_new
from svc_auth.stores.sql_oauth_grants import forget_grants
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables_oauth2 import OAUTH_CLIENTS, OAUTH_CONSENTS


class SqlOAuthClients:
    """Implements OAuthClients."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_client(self, registered: Registered, record: Record) -> bool:
        """Stores the client; False when its id is taken."""
        async with self._database.write() as connection:
            if not await insert_new(connection, OAUTH_CLIENTS, _values(registered)):
                return False
            await write_down(connection, record)
            return True

    async def find_client(self, client_id: str) -> Registered | None:
        """The client."""
        query = select(OAUTH_CLIENTS).where(OAUTH_CLIENTS.c.id == client_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else Registered(client=_client(row), secret_hash=row.secret_hash)

    async def clients(self) -> Sequence[OAuthClient]:
        """All of them, oldest first."""
        query = select(OAUTH_CLIENTS).order_by(OAUTH_CLIENTS.c.created_at, OAUTH_CLIENTS.c.id)
        async with self._database.read() as connection:
            return [_client(row) for row in await connection.execute(query)]

    async def replace_secret(self, client_id: str, secret_hash: str, record: Record) -> bool:
        """Has another secret count from now on."""
        confidential = (OAUTH_CLIENTS.c.id == client_id, OAUTH_CLIENTS.c.secret_hash.is_not(None))
        change = update(OAUTH_CLIENTS).where(*confidential).values(secret_hash=secret_hash)
        async with self._database.write() as connection:
            if not (await connection.execute(change)).rowcount:
                return False
            await write_down(connection, record)
            return True

    async def remove_client(self, client_id: str, *, record: Record) -> bool:
        """Forgets the client and all that it was allowed."""
        async with self._database.write() as connection:
            gone = delete(OAUTH_CLIENTS).where(OAUTH_CLIENTS.c.id == client_id)
            if not (await connection.execute(gone)).rowcount:
                return False
            agreed = delete(OAUTH_CONSENTS).where(OAUTH_CONSENTS.c.client_id == client_id)
            await connection.execute(agreed)
            await forget_grants(connection, client_id)
            await write_down(connection, record)
            return True


def _values(registered: Registered) -> dict[str, Any]:
    client = registered.client
    return {
        "id": client.id,
        "name": client.name,
        "secret_hash": registered.secret_hash,
        "redirect_uris": " ".join(client.redirect_uris),
        "scopes": " ".join(client.scopes),
        "grant_types": " ".join(client.grant_types),
        "post_logout_redirect_uris": " ".join(client.post_logout_redirect_uris),
        "require_pkce": client.require_pkce,
        "created_at": client.created_at,
    }


def _client(row: Row[Any]) -> OAuthClient:
    return OAuthClient(
        id=row.id,
        name=row.name,
        confidential=row.secret_hash is not None,
        redirect_uris=tuple(row.redirect_uris.split()),
        post_logout_redirect_uris=tuple(row.post_logout_redirect_uris.split()),
        scopes=tuple(row.scopes.split()),
        grant_types=tuple(GrantType(word) for word in row.grant_types.split()),
        require_pkce=row.require_pkce,
        created_at=row.created_at,
    )
