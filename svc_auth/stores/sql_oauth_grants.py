"""What users have allowed, and the tokens that came of it.

Whoever changes a grant's tokens locks the grant's row first, so that a code or
a refresh token that is shown twice at once has one winner.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.oauth2.grant import Grant, IssuedToken, Redeemed, RefreshToken, Rotation
from svc_auth.stores.tables_oauth2 import (
    LOGIN_SESSIONS,
    OAUTH_ACCESS_TOKENS,
    OAUTH_GRANTS,
    OAUTH_REFRESH_TOKENS,
)


class SqlGrants:
    """Implements Grants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_grant(self, grant: Grant, code_hash: str) -> None:
        """Stores a grant whose code has this hash."""
        async with self._database.write() as connection:
            row = _values(grant) | {"code_hash": code_hash}
            await connection.execute(insert(OAUTH_GRANTS).values(row))

    async def redeem_code(self, code_hash: str, *, at: int) -> Redeemed | None:
        """Spends the code, or revokes its grant when it was spent before."""
        async with self._database.write() as connection:
            row = await _locked(connection, OAUTH_GRANTS.c.code_hash == code_hash)
            if row is None:
                return None
            if row.redeemed_at is not None:
                revoked = await _revoke(connection, row.id, at)
                return Redeemed(grant=_grant(row), first=False, revoked=revoked)
            spent = update(OAUTH_GRANTS).where(OAUTH_GRANTS.c.id == row.id).values(redeemed_at=at)
            await connection.execute(spent)
            return Redeemed(grant=_grant(row), first=True)

    async def issue(self, token: IssuedToken, refresh_hash: str | None) -> bool:
        """Notes an access token, and the refresh token beside it."""
        async with self._database.write() as connection:
            if token.grant_id is None:
                await _note(connection, token)
                return True
            row = await _locked(connection, OAUTH_GRANTS.c.id == token.grant_id)
            if row is None or row.revoked_at is not None:
                return False
            await _note(connection, token)
            if refresh_hash is not None:
                await _note_refresh(connection, refresh_hash, token.grant_id)
            return True

    async def find_refresh(self, refresh_hash: str) -> RefreshToken | None:
        """The refresh token."""
        query = (
            select(OAUTH_GRANTS, OAUTH_REFRESH_TOKENS.c.used_at)
            .join(OAUTH_REFRESH_TOKENS, OAUTH_REFRESH_TOKENS.c.grant_id == OAUTH_GRANTS.c.id)
            .where(OAUTH_REFRESH_TOKENS.c.token_hash == refresh_hash)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        revoked = row.revoked_at is not None
        return RefreshToken(grant=_grant(row), used=row.used_at is not None, revoked=revoked)

    async def rotate_refresh(
        self, refresh_hash: str, *, successor_hash: str, token: IssuedToken, at: int
    ) -> Rotation:
        """Exchanges a refresh token that is still good; revokes its grant when it was used."""
        mine = (
            OAUTH_REFRESH_TOKENS.c.token_hash == refresh_hash,
            OAUTH_REFRESH_TOKENS.c.grant_id == token.grant_id,
        )
        async with self._database.write() as connection:
            row = await _locked(connection, OAUTH_GRANTS.c.id == token.grant_id)
            if row is None or row.revoked_at is not None:
                return Rotation(done=False)
            unused = (*mine, OAUTH_REFRESH_TOKENS.c.used_at.is_(None))
            spent = update(OAUTH_REFRESH_TOKENS).where(*unused).values(used_at=at)
            if not (await connection.execute(spent)).rowcount:
                return Rotation(done=False, revoked=await _revoke(connection, row.id, at))
            await _note_refresh(connection, successor_hash, row.id)
            await _note(connection, token)
            return Rotation(done=True)

    async def find_token(self, token_id: str) -> IssuedToken | None:
        """The access token, unless it is unknown or revoked."""
        query = select(OAUTH_ACCESS_TOKENS).where(
            OAUTH_ACCESS_TOKENS.c.id == token_id, OAUTH_ACCESS_TOKENS.c.revoked_at.is_(None)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _token(row)

    async def revoke_token(self, token_id: str, *, at: int) -> IssuedToken | None:
        """Revokes one access token."""
        async with self._database.write() as connection:
            revoked = await _revoke_where(connection, OAUTH_ACCESS_TOKENS.c.id == token_id, at)
            return revoked[0] if revoked else None

    async def revoke_grant(self, grant_id: str, *, at: int) -> Sequence[IssuedToken]:
        """Revokes a whole family."""
        async with self._database.write() as connection:
            await _locked(connection, OAUTH_GRANTS.c.id == grant_id)
            return await _revoke(connection, grant_id, at)

    async def purge(self, *, before: int) -> None:
        """Forgets what had ended by then: tokens first, then grants that nothing is left of."""
        ended = select(OAUTH_GRANTS.c.id).where(OAUTH_GRANTS.c.ends_at < before)
        tokens, refresh = OAUTH_ACCESS_TOKENS.c, OAUTH_REFRESH_TOKENS.c
        doomed = or_(tokens.expires_at < before, tokens.grant_id.in_(ended))
        async with self._database.write() as connection:
            await connection.execute(delete(OAUTH_ACCESS_TOKENS).where(doomed))
            await connection.execute(
                delete(OAUTH_REFRESH_TOKENS).where(refresh.grant_id.in_(ended))
            )
            await connection.execute(delete(OAUTH_GRANTS).where(OAUTH_GRANTS.c.ends_at < before))
            await connection.execute(
                delete(LOGIN_SESSIONS).where(LOGIN_SESSIONS.c.expires_at < before)
            )


async def forget_grants(
    connection: AsyncConnection, client_id: str, *, at: int
) -> tuple[IssuedToken, ...]:
    """Removes all that a client was granted; returns the access tokens that this has ended."""
    mine = OAUTH_ACCESS_TOKENS.c.client_id == client_id
    revoked = await _revoke_where(connection, mine, at)
    grants = select(OAUTH_GRANTS.c.id).where(OAUTH_GRANTS.c.client_id == client_id)
    await connection.execute(delete(OAUTH_ACCESS_TOKENS).where(mine))
    await connection.execute(
        delete(OAUTH_REFRESH_TOKENS).where(OAUTH_REFRESH_TOKENS.c.grant_id.in_(grants))
    )
    await connection.execute(delete(OAUTH_GRANTS).where(OAUTH_GRANTS.c.client_id == client_id))
    return revoked


async def _locked(connection: AsyncConnection, which: ColumnElement[bool]) -> Row[Any] | None:
    # Locks the row where the database knows how; SQLite's writer is alone anyway.
    return (await connection.execute(select(OAUTH_GRANTS).where(which).with_for_update())).first()


async def _revoke(connection: AsyncConnection, grant_id: str, at: int) -> tuple[IssuedToken, ...]:
    mine = (OAUTH_GRANTS.c.id == grant_id, OAUTH_GRANTS.c.revoked_at.is_(None))
    await connection.execute(update(OAUTH_GRANTS).where(*mine).values(revoked_at=at))
    return await _revoke_where(connection, OAUTH_ACCESS_TOKENS.c.grant_id == grant_id, at)


async def _revoke_where(
    connection: AsyncConnection, which: ColumnElement[bool], at: int
) -> tuple[IssuedToken, ...]:
    good = (which, OAUTH_ACCESS_TOKENS.c.revoked_at.is_(None))
    change = update(OAUTH_ACCESS_TOKENS).where(*good).values(revoked_at=at)
    rows = await connection.execute(change.returning(*OAUTH_ACCESS_TOKENS.c))
    return tuple(_token(row) for row in rows)


async def _note(connection: AsyncConnection, token: IssuedToken) -> None:
    row = {
        "id": token.id,
        "client_id": token.client_id,
        "user_id": token.user_id,
        "grant_id": token.grant_id,
        "expires_at": token.expires_at,
    }
    await connection.execute(insert(OAUTH_ACCESS_TOKENS).values(row))


async def _note_refresh(connection: AsyncConnection, token_hash: str, grant_id: str) -> None:
    row = {"token_hash": token_hash, "grant_id": grant_id}
    await connection.execute(insert(OAUTH_REFRESH_TOKENS).values(row))


def _values(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "client_id": grant.client_id,
        "user_id": grant.user_id,
        "scopes": " ".join(grant.scopes),
        "redirect_uri": grant.redirect_uri,
        "nonce": grant.nonce,
        "code_challenge": grant.code_challenge,
        "auth_time": grant.auth_time,
        "created_at": grant.created_at,
        "ends_at": grant.ends_at,
    }


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        id=row.id,
        client_id=row.client_id,
        user_id=row.user_id,
        scopes=tuple(row.scopes.split()),
        redirect_uri=row.redirect_uri,
        nonce=row.nonce,
        code_challenge=row.code_challenge,
        auth_time=row.auth_time,
        created_at=row.created_at,
        ends_at=row.ends_at,
    )


def _token(row: Row[Any]) -> IssuedToken:
    return IssuedToken(
        id=row.id,
        client_id=row.client_id,
        expires_at=row.expires_at,
        user_id=row.user_id,
        grant_id=row.grant_id,
    )
