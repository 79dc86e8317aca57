"""API keys."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_auth.domain.api_key import ApiKey, KeyHolder, KeyText
from svc_auth.domain.record import Record
from svc_auth.ports import Replacement
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import API_KEYS, USER_ROLES, USERS


class SqlApiKeys:
    """Implements ApiKeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_key(self, key: ApiKey, kept: KeyText, *, most: int, record: Record) -> bool:
        """Stores a key; False when its user has `most` that neither have ended nor retire."""
        async with self._database.write() as connection:
            await _lock_user(connection, key.user_id)
            if await _count(connection, key.user_id, key.created_at) >= most:
                return False
            await _insert(connection, key, kept)
            await write_down(connection, record)
            return True

    async def replace_key(
        self, key_id: str, key: ApiKey, kept: KeyText, *, retires: int, most: int, record: Record
    ) -> Replacement:
        """Stores a key in the place of one of its user's."""
        now = key.created_at
        async with self._database.write() as connection:
            await _lock_user(connection, key.user_id)
            mine = (API_KEYS.c.id == key_id, *_held(key.user_id), *_goes_on(now))
            row = (await connection.execute(select(API_KEYS).where(*mine))).first()
            if row is None:
                return Replacement.NO_KEY
            leaving = 1 if row.retires_at is None else 0
            if await _count(connection, key.user_id, now) - leaving >= most:
                return Replacement.LIMIT
            ends = retires if row.retires_at is None else min(retires, row.retires_at)
            change = update(API_KEYS).where(API_KEYS.c.id == key_id)
            gone = {"revoked_at": now} if retires <= now else {}
            await connection.execute(change.values(retires_at=ends, **gone))
            await _insert(connection, key, kept)
            await write_down(connection, record)
            return Replacement.DONE

    async def find_own_key(self, user_id: str, key_id: str) -> ApiKey | None:
        """The user's key, unless it is revoked."""
        query = select(API_KEYS).where(API_KEYS.c.id == key_id, *_held(user_id))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _key(row)

    async def keys_of(self, user_id: str) -> Sequence[ApiKey]:
        """The user's keys that are not revoked, oldest first."""
        query = (
            select(API_KEYS)
            .where(API_KEYS.c.user_id == user_id, API_KEYS.c.revoked_at.is_(None))
            .order_by(API_KEYS.c.created_at, API_KEYS.c.id)
        )
        async with self._database.read() as connection:
            return [_key(row) for row in await connection.execute(query)]

    async def revoke_key(self, user_id: str, key_id: str, *, at: int, record: Record) -> bool:
        """Revokes the key; False when the user has no such key, or no longer."""
        mine = (API_KEYS.c.id == key_id, API_KEYS.c.user_id == user_id)
        change = (
            update(API_KEYS).where(*mine, API_KEYS.c.revoked_at.is_(None)).values(revoked_at=at)
        )
        async with self._database.write() as connection:
            revoked = bool((await connection.execute(change)).rowcount)
            if revoked:
                await write_down(connection, record)
            return revoked

    async def find_keys(self, lookups: Collection[str]) -> Sequence[tuple[KeyHolder, KeyText]]:
        """The keys that these lead to, unless they are revoked; one row a role of their users."""
        query = (
            select(API_KEYS, USERS.c.username, USERS.c.disabled_at, USER_ROLES.c.role)
            .outerjoin(USERS, USERS.c.id == API_KEYS.c.user_id)
            .outerjoin(USER_ROLES, USER_ROLES.c.user_id == USERS.c.id)
            .where(API_KEYS.c.lookup.in_(lookups), API_KEYS.c.revoked_at.is_(None))
            .order_by(API_KEYS.c.id, USER_ROLES.c.role)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [_holder(list(own)) for _, own in groupby(rows, attrgetter("id"))]

    async def keep_anew(self, key_id: str, kept: KeyText) -> None:
        """Changes what is kept of a key."""
        change = update(API_KEYS).where(API_KEYS.c.id == key_id)
        async with self._database.write() as connection:
            await connection.execute(change.values(lookup=kept.lookup, key_hash=kept.key_hash))

    async def touch_keys(self, used_at: Mapping[str, int]) -> None:
        """Notes when keys were last used, in one transaction."""
        if not used_at:
            return
        last = API_KEYS.c.last_used_at
        at: BindParameter[int] = bindparam("at")
        change = (
            update(API_KEYS)
            .where(API_KEYS.c.id == bindparam("key"), or_(last.is_(None), last < at))
            .values(last_used_at=at)
        )
        # In the order of ids, so that two services flushing at once cannot deadlock.
        rows = [{"key": key, "at": used_at[key]} for key in sorted(used_at)]
        async with self._database.write() as connection:
            await connection.execute(change, rows)


async def _lock_user(connection: AsyncConnection, user_id: str) -> None:
    # The user may have no row to lock. SQLite's writer is alone anyway.
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(user_id))))


async def _count(connection: AsyncConnection, user_id: str, now: int) -> int:
    staying = (*_held(user_id), *_goes_on(now), API_KEYS.c.retires_at.is_(None))
    query = select(func.count()).select_from(API_KEYS).where(*staying)
    return int((await connection.execute(query)).scalar_one())


def _held(user_id: str) -> tuple[ColumnElement[bool], ...]:
    return API_KEYS.c.user_id == user_id, API_KEYS.c.revoked_at.is_(None)


def _goes_on(now: int) -> tuple[ColumnElement[bool], ...]:
    ends = (API_KEYS.c.expires_at, API_KEYS.c.retires_at)
    return tuple(or_(at.is_(None), at > now) for at in ends)


async def _insert(connection: AsyncConnection, key: ApiKey, kept: KeyText) -> None:
    await connection.execute(
        insert(API_KEYS).values(
            id=key.id,
            user_id=key.user_id,
            name=key.name,
            prefix=key.prefix,
            lookup=kept.lookup,
            key_hash=kept.key_hash,
            created_at=key.created_at,
            expires_at=key.expires_at,
            scopes=" ".join(key.scopes),
            providers=" ".join(key.providers),
        )
    )


def _holder(rows: Sequence[Row[Any]]) -> tuple[KeyHolder, KeyText]:
    first = rows[0]
    holder = KeyHolder(
        key=_key(first),
        username=first.username or "",
        user_roles=tuple(row.role for row in rows if row.role),
        disabled=first.disabled_at is not None,
    )
    return holder, KeyText(lookup=first.lookup, key_hash=first.key_hash)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        prefix=row.prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        retires_at=row.retires_at,
        scopes=tuple(row.scopes.split()),
        providers=tuple(row.providers.split()),
    )
