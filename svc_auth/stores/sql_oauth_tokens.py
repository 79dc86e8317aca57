"""Access tokens by their ids, and what ends them."""

from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_auth.domain.oauth2.grant import IssuedToken
from svc_auth.domain.revocation import of_grant, of_token
from svc_auth.stores.sql_logins import mark_revoked
from svc_auth.stores.sql_record import add
from svc_auth.stores.tables_oauth2 import OAUTH_ACCESS_TOKENS

_ACCESS = OAUTH_ACCESS_TOKENS.c


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


async def revoke_one(connection: AsyncConnection, token_id: str, *, at: int) -> IssuedToken | None:
    """Revokes one token, and has everybody told unless it has ended; None when it was already."""
    good = (_ACCESS.id == token_id, _ACCESS.revoked_at.is_(None))
    change = update(OAUTH_ACCESS_TOKENS).where(*good).values(revoked_at=at).returning(*_ACCESS)
    row = (await connection.execute(change)).first()
    if row is None:
        return None
    if row.expires_at > at:
        await add(connection, of_token(token_id, at=at, expires_at=row.expires_at))
    return token_of(row)


async def revoke_family(connection: AsyncConnection, grant_id: str, *, at: int) -> None:
    """Revokes a grant's tokens with one word, however many they are."""
    mine = _ACCESS.grant_id == grant_id
    last = select(func.max(_ACCESS.expires_at)).where(mine, _ACCESS.revoked_at.is_(None))
    ends = (await connection.execute(last)).scalar_one() or 0
    await mark_revoked(connection, mine, at=at)
    if ends > at:
        await add(connection, of_grant(grant_id, at=at, ends=ends))


def token_of(row: Row[Any]) -> IssuedToken:
    """The token in a row."""
    return IssuedToken(
        id=row.id,
        client_id=row.client_id,
        expires_at=row.expires_at,
        user_id=row.user_id,
        grant_id=row.grant_id,
    )
