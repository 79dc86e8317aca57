"""Browsers that are logged in."""

from typing import Any

from sqlalchemy import Select, delete, insert, select

from mesh.storage.database import Database
from svc_auth.domain.oauth2.session import LoginSession
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import Kind
from svc_auth.stores.sql_logins import lock_user
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import REVOCATIONS
from svc_auth.stores.tables_oauth2 import LOGIN_SESSIONS


class SqlLoginSessions:
    """Implements LoginSessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_session(self, session: LoginSession) -> bool:
        """Stores the session, unless all that began before it was ended meanwhile."""
        row = {
            "session_hash": session.id,
            "user_id": session.user_id,
            "auth_time": session.auth_time,
            "expires_at": session.expires_at,
        }
        async with self._database.write() as connection:
            await lock_user(connection, session.user_id)
            if (await connection.execute(_ended(session))).first() is not None:
                return False
            await connection.execute(insert(LOGIN_SESSIONS).values(row))
            return True

    async def find_session(self, session_hash: str) -> LoginSession | None:
        """The session; an expired one may be returned."""
        query = select(LOGIN_SESSIONS).where(LOGIN_SESSIONS.c.session_hash == session_hash)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        return LoginSession(
            id=row.session_hash,
            user_id=row.user_id,
            auth_time=row.auth_time,
            expires_at=row.expires_at,
        )

    async def end_session(self, session_hash: str, record: Record | None = None) -> None:
        """Ends it; again is no fault, and is not written down."""
        gone = delete(LOGIN_SESSIONS).where(LOGIN_SESSIONS.c.session_hash == session_hash)
        async with self._database.write() as connection:
            ended = (await connection.execute(gone)).rowcount
            if ended and record is not None:
                await write_down(connection, record)


def _ended(session: LoginSession) -> Select[Any]:
    # What speaks of all that the user began before a moment that is after this login's.
    return select(REVOCATIONS.c.seq).where(
        REVOCATIONS.c.subject == session.user_id,
        REVOCATIONS.c.kind.in_((Kind.USER, Kind.SESSIONS)),
        REVOCATIONS.c.at > session.auth_time,
    )
