"""OAuth2's clients, and what users have allowed them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

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
            found = select(OAUTH_CLIENTS.c.id).where(OAUTH_CLIENTS.c.id == registered.client.id)
            if (await connection.execute(found)).first() is not None:
                return False
            await connection.execute(insert(OAUTH_CLIENTS).values(_values(registered)))
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


class SqlConsents:
    """Implements Consents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_consent(self, user_id: str, client_id: str) -> frozenset[str]:
        """The scopes that the user has allowed the client."""
        mine = (OAUTH_CONSENTS.c.user_id == user_id, OAUTH_CONSENTS.c.client_id == client_id)
        async with self._database.read() as connection:
            rows = await connection.execute(select(OAUTH_CONSENTS.c.scope).where(*mine))
            return frozenset(rows.scalars())

    async def add_consent(
        self, user_id: str, client_id: str, scopes: Sequence[str], *, at: int, record: Record
    ) -> None:
        """Remembers them beside those that were allowed before."""
        whose = {"user_id": user_id, "client_id": client_id, "created_at": at}
        async with self._database.write() as connection:
            # In one order, so that two pages that agree at once cannot deadlock.
            for scope in sorted(scopes):
                await insert_new(connection, OAUTH_CONSENTS, whose | {"scope": scope})
            await write_down(connection, record)


def _values(registered: Registered) -> dict[str, Any]:
    client = registered.client
    return {
        "id": client.id,
        "name": client.name,
        "secret_hash": registered.secret_hash,
        "redirect_uris": " ".join(client.redirect_uris),
        "scopes": " ".join(client.scopes),
        "grant_types": " ".join(client.grant_types),
        "require_pkce": client.require_pkce,
        "created_at": client.created_at,
    }


def _client(row: Row[Any]) -> OAuthClient:
    return OAuthClient(
        id=row.id,
        name=row.name,
        confidential=row.secret_hash is not None,
        redirect_uris=tuple(row.redirect_uris.split()),
        scopes=tuple(row.scopes.split()),
        grant_types=tuple(GrantType(word) for word in row.grant_types.split()),
        require_pkce=row.require_pkce,
        created_at=row.created_at,
    )
