"""Users and their roles."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.text import comparable
from svc_auth.domain.user import User
from svc_auth.ports import Taken
from svc_auth.stores.tables import USER_ROLES, USERS


class SqlUsers:
    """Implements Users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_user(self, user: User, password_hash: str) -> Taken | None:
        """Stores the user, or says what is taken."""
        try:
            async with self._database.write() as connection:
                taken = await _taken(connection, user)
                if taken is None:
                    await _insert_user(connection, user, password_hash)
                return taken
        except IntegrityError:
            # Another connection took it between the look and the insert.
            async with self._database.read() as connection:
                taken = await _taken(connection, user)
            if taken is None:
                raise
            return taken

    async def find_user(self, user_id: str) -> User | None:
        """The user."""
        async with self._database.read() as connection:
            rows = (await connection.execute(_users().where(USERS.c.id == user_id))).all()
        return _user(rows) if rows else None

    async def find_login(self, username: str) -> tuple[User, str] | None:
        """The user of that name, in any case, and its password's hash."""
        query = _users().where(USERS.c.username_key == comparable(username))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return (_user(rows), rows[0].password_hash) if rows else None

    async def find_email(self, email: str) -> User | None:
        """The user with that address, in any case."""
        query = _users().where(USERS.c.email_key == comparable(email))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return _user(rows) if rows else None


def _users() -> Select[Any]:
    joined = select(USERS, USER_ROLES.c.role).outerjoin(
        USER_ROLES, USER_ROLES.c.user_id == USERS.c.id
    )
    return joined.order_by(USER_ROLES.c.role)


def _user(rows: Sequence[Row[Any]]) -> User:
    first = rows[0]
    return User(
        id=first.id,
        username=first.username,
        email=first.email,
        roles=tuple(row.role for row in rows if row.role),
        created_at=first.created_at,
    )


async def _taken(connection: AsyncConnection, user: User) -> Taken | None:
    for column, text, taken in (
        (USERS.c.username_key, user.username, Taken.USERNAME),
        (USERS.c.email_key, user.email, Taken.EMAIL),
    ):
        query = select(USERS.c.id).where(column == comparable(text))
        if (await connection.execute(query)).first() is not None:
            return taken
    return None


async def _insert_user(connection: AsyncConnection, user: User, password_hash: str) -> None:
    await connection.execute(
        insert(USERS).values(
            id=user.id,
            username=user.username,
            username_key=comparable(user.username),
            email=user.email,
            email_key=comparable(user.email),
            password_hash=password_hash,
            created_at=user.created_at,
        )
    )
    roles = [{"user_id": user.id, "role": role} for role in user.roles]
    await connection.execute(insert(USER_ROLES), roles)
