"""What users have allowed, and the tokens that came of it.

Whoever changes a grant's tokens locks the grant's row first, so that a code or
a refresh token that is shown twice at once has one winner.
"""

from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.audit import Action
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.audit import (
    CODE_REUSED,
    CONSENT_WITHDRAWN,
    REFRESH_TOKEN_REUSED,
    client_entry,
)
from svc_auth.domain.oauth2.grant import Grant, IssuedToken, Redeemed, RefreshToken
from svc_auth.domain.oauth2.playground import PLAYGROUND
from svc_auth.domain.oauth2.session import LoginSession
from svc_auth.domain.record import Record
from svc_auth.stores.sql_oauth_tokens import note, revoke_family, revoke_one, token_of
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables_oauth2 import (
    LOGIN_SESSIONS,
    OAUTH_ACCESS_TOKENS,
    OAUTH_CLIENTS,
    OAUTH_CONSENTS,
    OAUTH_GRANTS,
    OAUTH_REFRESH_TOKENS,
)

_GRANT = OAUTH_GRANTS.c
_REFRESH = OAUTH_REFRESH_TOKENS.c
_ACCESS = OAUTH_ACCESS_TOKENS.c
_CONSENT = OAUTH_CONSENTS.c


class SqlGrants:
    """Implements Grants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_grant(self, grant: Grant, code_hash: str, session: LoginSession) -> bool:
        """Stores a grant whose code has this hash, unless what it rests on has ended meanwhile."""
        login = select(LOGIN_SESSIONS).where(LOGIN_SESSIONS.c.session_hash == session.id)
        async with self._database.write() as connection:
            # Locked, so that what ends all logins of a user sees the grant, or comes first.
            if (await connection.execute(login.with_for_update(read=True))).first() is None:
                return False
            if not await hold_client(connection, grant.client_id):
                return False
            allowed = await hold_consent(connection, grant.user_id, grant.client_id)
            if not allowed.issuperset(grant.scopes):
                return False
            row = _values(grant) | {"code_hash": code_hash}
            await connection.execute(insert(OAUTH_GRANTS).values(row))
            return True

    async def redeem_code(self, code_hash: str, *, at: int, caller: Caller) -> Redeemed | None:
        """Spends the code, or revokes its grant when it was spent before."""
        async with self._database.write() as connection:
            row = await _locked(connection, _GRANT.code_hash == code_hash)
            if row is None:
                return None
            if row.redeemed_at is not None:
                await _revoke(connection, row, at, caller, CODE_REUSED)
                return Redeemed(grant=_grant(row), first=False)
            spent = update(OAUTH_GRANTS).where(_GRANT.id == row.id).values(redeemed_at=at)
            await connection.execute(spent)
            return Redeemed(grant=_grant(row), first=row.revoked_at is None)

    async def issue(self, token: IssuedToken, refresh_hash: str | None) -> bool:
        """Notes an access token, and the refresh token beside it."""
        async with self._database.write() as connection:
            if not await hold_client(connection, token.client_id):
                return False
            if token.grant_id is not None:
                row = await _locked(connection, _GRANT.id == token.grant_id)
                if row is None or row.revoked_at is not None:
                    return False
            await note(connection, token)
            if refresh_hash is not None:
                await _note_refresh(connection, refresh_hash, token.grant_id)
            return True

    async def find_refresh(self, refresh_hash: str) -> RefreshToken | None:
        """The refresh token."""
        query = (
            select(OAUTH_GRANTS, _REFRESH.used_at)
            .join(OAUTH_REFRESH_TOKENS, _REFRESH.grant_id == _GRANT.id)
            .where(_REFRESH.token_hash == refresh_hash)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        revoked = row.revoked_at is not None
        return RefreshToken(grant=_grant(row), used=row.used_at is not None, revoked=revoked)

    async def rotate_refresh(
        self,
        refresh_hash: str,
        *,
        successor_hash: str,
        token: IssuedToken,
        at: int,
        caller: Caller,
    ) -> bool:
        """Exchanges a refresh token that is still good; revokes its grant when it was used."""
        mine = (_REFRESH.token_hash == refresh_hash, _REFRESH.grant_id == token.grant_id)
        spent = update(OAUTH_REFRESH_TOKENS).where(*mine, _REFRESH.used_at.is_(None))
        async with self._database.write() as connection:
            if not await hold_client(connection, token.client_id):
                return False
            row = await _locked(connection, _GRANT.id == token.grant_id)
            if row is None or row.revoked_at is not None:
                return False
            if not (await connection.execute(spent.values(used_at=at))).rowcount:
                await _revoke(connection, row, at, caller, REFRESH_TOKEN_REUSED)
                return False
            await _note_refresh(connection, successor_hash, row.id)
            await note(connection, token)
            return True

    async def find_token(self, token_id: str) -> IssuedToken | None:
        """The access token, unless it is unknown or revoked."""
        good = (_ACCESS.id == token_id, _ACCESS.revoked_at.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(select(OAUTH_ACCESS_TOKENS).where(*good))).first()
        return None if row is None else token_of(row)

    async def revoke_token(self, token_id: str, *, at: int, caller: Caller) -> None:
        """Revokes one access token."""
        async with self._database.write() as connection:
            token = await revoke_one(connection, token_id, at=at)
            if token is not None:
                entry = client_entry(
                    caller,
                    Action.OAUTH_TOKEN_REVOKED,
                    token.client_id,
                    at=at,
                    user_id=token.user_id,
                )
                await write_down(connection, Record(entry=entry))

    async def revoke_grant(self, grant_id: str, *, at: int, caller: Caller, why: str = "") -> None:
        """Revokes a whole family."""
        async with self._database.write() as connection:
            row = await _locked(connection, _GRANT.id == grant_id)
            if row is not None:
                await _revoke(connection, row, at, caller, why)

    async def purge(self, *, before: int) -> None:
        """Forgets what had ended by then: tokens first, then grants that nothing is left of."""
        # A code lives for less than anything that is asked for here.
        unredeemed = and_(_GRANT.redeemed_at.is_(None), _GRANT.created_at < before)
        over = or_(_GRANT.ends_at < before, unredeemed)
        ended = select(_GRANT.id).where(over)
        doomed = or_(_ACCESS.expires_at < before, _ACCESS.grant_id.in_(ended))
        async with self._database.write() as connection:
            await connection.execute(delete(OAUTH_ACCESS_TOKENS).where(doomed))
            await connection.execute(
                delete(OAUTH_REFRESH_TOKENS).where(_REFRESH.grant_id.in_(ended))
            )
            await connection.execute(delete(OAUTH_GRANTS).where(over))
            await connection.execute(
                delete(LOGIN_SESSIONS).where(LOGIN_SESSIONS.c.expires_at < before)
            )


async def forget_grants(connection: AsyncConnection, client_id: str) -> None:
    """Removes all that a client was granted; that its tokens are refused is told by the caller."""
    mine, grants = _ACCESS.client_id == client_id, _GRANT.client_id == client_id
    # As everybody does: grants before tokens.
    await connection.execute(select(_GRANT.id).where(grants).order_by(_GRANT.id).with_for_update())
    await connection.execute(delete(OAUTH_ACCESS_TOKENS).where(mine))
    own = select(_GRANT.id).where(grants)
    await connection.execute(delete(OAUTH_REFRESH_TOKENS).where(_REFRESH.grant_id.in_(own)))
    await connection.execute(delete(OAUTH_GRANTS).where(grants))


async def hold_client(connection: AsyncConnection, client_id: str) -> bool:
    """Whether the client is there; it stays until the transaction has ended.

    Locked before any grant: who removes a client sees all that it was given, or comes first.
    """
    query = select(OAUTH_CLIENTS.c.id).where(OAUTH_CLIENTS.c.id == client_id)
    found = (await connection.execute(query.with_for_update(read=True))).first()
    # The one that `local` brings along is in no table, and nobody removes it.
    return found is not None or client_id == PLAYGROUND.id


async def hold_consent(
    connection: AsyncConnection, user_id: str, client_id: str, *, alone: bool = False
) -> frozenset[str]:
    """What the user has allowed the client, which stays so until the transaction has ended.

    Locked before any grant, by who withdraws it `alone`: it sees all grants that rest on it.
    """
    mine = (_CONSENT.user_id == user_id, _CONSENT.client_id == client_id)
    query = select(_CONSENT.scope).where(*mine).order_by(_CONSENT.scope)
    found = await connection.execute(query.with_for_update(read=not alone))
    return frozenset(found.scalars())


async def revoke_grants(
    connection: AsyncConnection, user_id: str, client_id: str, *, at: int, caller: Caller
) -> None:
    """Revokes all that came of a consent which the user has withdrawn."""
    mine = (_GRANT.user_id == user_id, _GRANT.client_id == client_id)
    query = select(OAUTH_GRANTS).where(*mine, _GRANT.revoked_at.is_(None)).order_by(_GRANT.id)
    for row in (await connection.execute(query.with_for_update())).all():
        await _revoke(connection, row, at, caller, CONSENT_WITHDRAWN)


async def _locked(connection: AsyncConnection, which: ColumnElement[bool]) -> Row[Any] | None:
    # Locks the row where the database knows how; SQLite's writer is alone anyway.
    return (await connection.execute(select(OAUTH_GRANTS).where(which).with_for_update())).first()


async def _revoke(
    connection: AsyncConnection, row: Row[Any], at: int, caller: Caller, why: str
) -> None:
    if row.revoked_at is not None:
        return
    await connection.execute(update(OAUTH_GRANTS).where(_GRANT.id == row.id).values(revoked_at=at))
    await revoke_family(connection, row.id, at=at)
    entry = client_entry(
        caller,
        Action.OAUTH_GRANT_REVOKED,
        row.client_id,
        at=at,
        user_id=row.user_id,
        detail=why,
    )
    await write_down(connection, Record(entry=entry))


async def _note_refresh(connection: AsyncConnection, token_hash: str, grant_id: str | None) -> None:
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
