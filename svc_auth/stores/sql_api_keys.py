"""API keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, insert, or_, select, update

from mesh.storage.database import Database
from svc_auth.domain.api_key import ApiKey, KeyHolder
from svc_auth.domain.record import Record
from svc_auth.stores.sql_record import write_down
from svc_auth.stores.tables import API_KEYS, USER_ROLES, USERS


class SqlApiKeys:
    """Implements ApiKeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_key(self, key: ApiKey, key_hash: str, record: Record) -> None:
        """Stores a key."""
        async with self._database.write() as connection:
            await connection.execute(
                insert(API_KEYS).values(
                    id=key.id,
                    user_id=key.user_id,
                    name=key.name,
                    prefix=key.prefix,
                    key_hash=key_hash,
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                )
            )
            await write_down(connection, record)

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

    async def find_key(self, key_hash: str) -> KeyHolder | None:
        """The key, unless it is unknown or revoked; one row a role of its user."""
        query = (
            select(API_KEYS, USERS.c.username, USERS.c.disabled_at, USER_ROLES.c.role)
            .outerjoin(USERS, USERS.c.id == API_KEYS.c.user_id)
            .outerjoin(USER_ROLES, USER_ROLES.c.user_id == USERS.c.id)
            .where(API_KEYS.c.key_hash == key_hash, API_KEYS.c.revoked_at.is_(None))
            .order_by(USER_ROLES.c.role)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return None
        roles = tuple(row.role for row in rows if row.role)
        return KeyHolder(
            key=_key(rows[0]),
            username=rows[0].username or "",
            user_roles=roles,
            disabled=rows[0].disabled_at is not None,
        )

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


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        prefix=row.prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
