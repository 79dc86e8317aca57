"""Access tokens by their ids, and what ends them."""

from typing import Any

from sqlalchemy import ColumnElement, Row, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_auth.domain.oauth2.grant import IssuedToken
from svc_auth.domain.revocation import of_token
from svc_auth.stores.sql_logins import mark_revoked
from svc_auth.stores.sql_record import add
from svc_auth.stores.tables_oauth2 import OAUTH_ACCESS_TOKENS


async def note(connection: AsyncConnection, token: IssuedToken) -> None:
    """One more token."""
    row = {
        "id": token.id,
        "client_id": token.client_id,
        "user_id": token.user_id,
        "grant_id": token.grant_id,
        "expires_at": token.expires_at,
    }
    await connection.execute(insert(OAUTH_ACCESS_TOKENS).values(row))


async def revoke_tokens(
    connection: AsyncConnection, which: ColumnElement[bool], *, at: int
) -> list[IssuedToken]:
    """Revokes them, and has everybody told of those that have not ended; the ones revoked."""
    revoked = [token_of(row) for row in await mark_revoked(connection, which, at=at)]
    for token in revoked:
        if token.expires_at > at:
            await add(connection, of_token(token.id, at=at, expires_at=token.expires_at))
    return revoked


def token_of(row: Row[Any]) -> IssuedToken:
    """The token in a row."""
    return IssuedToken(
        id=row.id,
        client_id=row.client_id,
        expires_at=row.expires_at,
        user_id=row.user_id,
        grant_id=row.grant_id,
    )
