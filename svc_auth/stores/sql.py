"""Auth's store in an SQL database, by SQLAlchemy Core."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BindParameter,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage import sql
from mesh.storage.database import Database
from mesh.storage.schema import Schema
from svc_auth.domain.api_key import ApiKey, KeyHolder
from svc_auth.domain.membership import Removal, Standing
from svc_auth.domain.text import comparable
from svc_auth.domain.user import User
from svc_auth.ports import AuthStore, SealedKey, Taken
from svc_auth.stores.tables import (
    API_KEYS,
    MEMBERSHIPS,
    ORGANIZATIONS,
    SIGNING_KEYS,
    USER_ROLES,
    USERS,
)

MIGRATIONS = Path(__file__).parents[1] / "migrations"
FIRST_GENERATION = 1


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[AuthStore]:
    """The store in `sqlite:///path` or `postgresql://...`."""
    async with sql.open_database(url, service="auth", folder=MIGRATIONS) as database:
        yield SqlStore(database)


def open_schema(url: str) -> AbstractAsyncContextManager[Schema]:
    """The tables behind the URL, for `leaky migrate`."""
    return sql.open_schema(url, service="auth", folder=MIGRATIONS)


class SqlStore:
    """Implements AuthStore."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ping = database.ping

    # Users

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

    # API keys

    async def add_key(self, key: ApiKey, key_hash: str) -> None:
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

    async def keys_of(self, user_id: str) -> Sequence[ApiKey]:
        """The user's keys that are not revoked, oldest first."""
        query = (
            select(API_KEYS)
            .where(API_KEYS.c.user_id == user_id, API_KEYS.c.revoked_at.is_(None))
            .order_by(API_KEYS.c.created_at, API_KEYS.c.id)
        )
        async with self._database.read() as connection:
            return [_key(row) for row in await connection.execute(query)]

    async def revoke_key(self, user_id: str, key_id: str, *, at: int) -> bool:
        """Revokes the key; False when the user has no such key, or no longer."""
        mine = (API_KEYS.c.id == key_id, API_KEYS.c.user_id == user_id)
        change = (
            update(API_KEYS).where(*mine, API_KEYS.c.revoked_at.is_(None)).values(revoked_at=at)
        )
        async with self._database.write() as connection:
            return bool((await connection.execute(change)).rowcount)

    async def find_key(self, key_hash: str) -> KeyHolder | None:
        """The key, unless it is unknown or revoked; one row a role of its user."""
        query = (
            select(API_KEYS, USERS.c.username, USER_ROLES.c.role)
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
        return KeyHolder(key=_key(rows[0]), username=rows[0].username or "", user_roles=roles)

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

    # Organisations

    async def put_member(self, org_id: str, user_id: str, *, at: int) -> bool:
        """Makes the user a member, and the owner where there is none."""
        async with self._database.write() as connection:
            await _insert_new(connection, ORGANIZATIONS, {"id": org_id, "created_at": at})
            await _lock_org(connection, org_id)
            standing = await _standing(connection, org_id, user_id)
            wanted = standing if await _owned(connection, org_id) else Standing.OWNER
            wanted = wanted or Standing.MEMBER
            if standing is None:
                row = {"org_id": org_id, "user_id": user_id, "standing": wanted, "created_at": at}
                await connection.execute(insert(MEMBERSHIPS).values(row))
            elif standing is not wanted:
                change = update(MEMBERSHIPS).where(*_member(org_id, user_id))
                await connection.execute(change.values(standing=wanted))
            return standing is not wanted

    async def remove_member(self, org_id: str, user_id: str) -> Removal:
        """Ends the membership."""
        async with self._database.write() as connection:
            if not await _lock_org(connection, org_id):
                return Removal.NO_ORG
            gone = await connection.execute(delete(MEMBERSHIPS).where(*_member(org_id, user_id)))
            return Removal.DONE if gone.rowcount else Removal.NO_MEMBER

    async def find_standing(self, org_id: str, user_id: str) -> Standing | None:
        """What the user is in the organisation."""
        async with self._database.read() as connection:
            return await _standing(connection, org_id, user_id)

    # Signing keys

    async def find_signing_key(self, alg: str) -> SealedKey | None:
        """The key of the algorithm."""
        async with self._database.read() as connection:
            return await _signing_key(connection, alg)

    async def adopt_signing_key(self, key: SealedKey) -> SealedKey:
        """Stores the key unless its algorithm has one; returns the one that counts."""
        row = {
            "alg": key.alg,
            "generation": FIRST_GENERATION,
            "kid": key.kid,
            "sealed": key.sealed,
            "created_at": key.created_at,
        }
        async with self._database.write() as connection:
            await _insert_new(connection, SIGNING_KEYS, row)
            return await _signing_key(connection, key.alg) or key


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


async def _insert_new(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    await connection.execute(dialect.insert(table).values(row).on_conflict_do_nothing())


async def _lock_org(connection: AsyncConnection, org_id: str) -> bool:
    # Locks the row where the database knows how; SQLite's writer is alone anyway.
    query = select(ORGANIZATIONS.c.id).where(ORGANIZATIONS.c.id == org_id).with_for_update()
    return (await connection.execute(query)).first() is not None


def _member(org_id: str, user_id: str) -> tuple[Any, Any]:
    return MEMBERSHIPS.c.org_id == org_id, MEMBERSHIPS.c.user_id == user_id


async def _standing(connection: AsyncConnection, org_id: str, user_id: str) -> Standing | None:
    query = select(MEMBERSHIPS.c.standing).where(*_member(org_id, user_id))
    standing = (await connection.execute(query)).scalar_one_or_none()
    return None if standing is None else Standing(standing)


async def _owned(connection: AsyncConnection, org_id: str) -> bool:
    owner = (MEMBERSHIPS.c.org_id == org_id, MEMBERSHIPS.c.standing == Standing.OWNER)
    query = select(MEMBERSHIPS.c.user_id).where(*owner).limit(1)
    return (await connection.execute(query)).first() is not None


async def _signing_key(connection: AsyncConnection, alg: str) -> SealedKey | None:
    newest = SIGNING_KEYS.c.generation.desc()
    query = select(SIGNING_KEYS).where(SIGNING_KEYS.c.alg == alg).order_by(newest).limit(1)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return SealedKey(kid=row.kid, alg=row.alg, sealed=row.sealed, created_at=row.created_at)
