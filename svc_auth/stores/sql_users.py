"""Users and their roles."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Insert,
    Row,
    Select,
    Update,
    delete,
    exists,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.record import Record
from svc_auth.domain.text import comparable
from svc_auth.domain.user import Account, User
from svc_auth.ports import Change, Taken
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import USER_ROLES, USERS


class SqlUsers:
    """Implements Users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_user(self, user: User, password_hash: str, record: Record) -> Taken | None:
        """Stores the user, or says what is taken."""
        try:
            async with self._database.write() as connection:
                taken = await _taken(connection, user)
                if taken is None:
                    await _insert_user(connection, user, password_hash)
                    await write_down(connection, record)
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

    async def find_login(self, username: str) -> Account | None:
        """The user of that name, in any case."""
        return await self._account(USERS.c.username_key == comparable(username))

    async def find_account(self, user_id: str) -> Account | None:
        """The user, by its id."""
        return await self._account(USERS.c.id == user_id)

    async def _account(self, which: ColumnElement[bool]) -> Account | None:
        async with self._database.read() as connection:
            rows = (await connection.execute(_users().where(which))).all()
        return Account(user=_user(rows), password_hash=rows[0].password_hash) if rows else None

    async def list_users(self, *, after: str, limit: int) -> Sequence[User]:
        """Users in the order of their ids, the first one after that id."""
        page = select(USERS.c.id).where(USERS.c.id > after).order_by(USERS.c.id).limit(limit)
        query = _users().where(USERS.c.id.in_(page)).order_by(None)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(USERS.c.id, USER_ROLES.c.role))
            return [_user(list(own)) for _, own in groupby(rows, attrgetter("id"))]

    async def disable_user(self, user_id: str, *, at: int, record: Record) -> Change:
        """From now on nothing of the user's opens anything."""
        change = update(USERS).where(USERS.c.id == user_id, USERS.c.disabled_at.is_(None))
        return await self._change(user_id, change.values(disabled_at=at), record)

    async def enable_user(self, user_id: str, *, record: Record) -> Change:
        """The user may log in again, and its keys count again."""
        change = update(USERS).where(USERS.c.id == user_id, USERS.c.disabled_at.is_not(None))
        return await self._change(user_id, change.values(disabled_at=None), record)

    async def grant_role(self, user_id: str, role: str, *, record: Record) -> Change:
        """Gives the user the role."""
        known = select(USERS.c.id, literal(role)).where(USERS.c.id == user_id, ~_holds(role))
        change = insert(USER_ROLES).from_select(["user_id", "role"], known)
        return await self._change(user_id, change, record)

    async def revoke_role(self, user_id: str, role: str, *, record: Record) -> Change:
        """Takes the role from the user."""
        held = (USER_ROLES.c.user_id == user_id, USER_ROLES.c.role == role)
        return await self._change(user_id, delete(USER_ROLES).where(*held), record)

    async def set_password(
        self, user_id: str, password_hash: str, *, replacing: str | None, record: Record
    ) -> Change:
        """Replaces the password's hash, if it still is the one that was looked at."""
        change = update(USERS).where(USERS.c.id == user_id)
        if replacing is not None:
            change = change.where(USERS.c.password_hash == replacing)
        return await self._change(user_id, change.values(password_hash=password_hash), record)

    async def _change(
        self, user_id: str, change: Insert | Update | Delete, record: Record
    ) -> Change:
        async with self._database.write() as connection:
            query = select(USERS.c.id).where(USERS.c.id == user_id).with_for_update()
            if (await connection.execute(query)).first() is None:
                return Change.NO_USER
            if not (await connection.execute(change)).rowcount:
                return Change.UNCHANGED
            await write_down(connection, record)
            return Change.DONE

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
        disabled_at=first.disabled_at,
    )


def _holds(role: str) -> ColumnElement[bool]:
    held = (USER_ROLES.c.user_id == USERS.c.id, USER_ROLES.c.role == role)
    return exists().where(*held)


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
