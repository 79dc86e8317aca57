"""What ends with a user's logins: browsers' sessions, and what applications were allowed."""

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_auth.stores.tables import USERS
from svc_auth.stores.tables_oauth2 import LOGIN_SESSIONS, OAUTH_ACCESS_TOKENS, OAUTH_GRANTS

_ACCESS = OAUTH_ACCESS_TOKENS.c


async def end_logins(connection: AsyncConnection, user_id: str, *, at: int) -> None:
    """Ends them all; that the user's tokens are refused is told by whoever calls."""
    await lock_user(connection, user_id)
    sessions = LOGIN_SESSIONS.c.user_id == user_id
    await connection.execute(delete(LOGIN_SESSIONS).where(sessions))
    grants = (OAUTH_GRANTS.c.user_id == user_id, OAUTH_GRANTS.c.revoked_at.is_(None))
    await connection.execute(update(OAUTH_GRANTS).where(*grants).values(revoked_at=at))
    await mark_revoked(connection, _ACCESS.user_id == user_id, at=at)


async def lock_user(connection: AsyncConnection, user_id: str) -> None:
    """Has logins that begin, and what ends them all, take turns."""
    query = select(USERS.c.id).where(USERS.c.id == user_id).with_for_update()
    await connection.execute(query)


async def mark_client(connection: AsyncConnection, client_id: str, *, at: int) -> None:
    """Marks a client's access tokens as revoked."""
    await mark_revoked(connection, _ACCESS.client_id == client_id, at=at)


async def mark_revoked(connection: AsyncConnection, which: ColumnElement[bool], *, at: int) -> None:
    """Marks access tokens as revoked, in one statement however many they are."""
    good = (which, _ACCESS.revoked_at.is_(None))
    await connection.execute(update(OAUTH_ACCESS_TOKENS).where(*good).values(revoked_at=at))
