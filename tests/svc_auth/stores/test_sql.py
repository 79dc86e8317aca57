"""What is particular to SQL."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import DBAPIError

from mesh.storage.database import open_sqlite
from mesh.storage.migrations import migrate
from mesh.storage.registry import UnknownSchemeError
from mesh.storage.sql import open_database
from svc_auth.domain.api_key import ApiKey
from svc_auth.domain.audit import AuditQuery
from svc_auth.domain.user import User
from svc_auth.ports import Taken
from svc_auth.stores import STORES, sql, sql_users
from svc_auth.stores.stores import AuthStores
from svc_auth.stores.tables import API_KEYS, AUDIT_LOG, METADATA
from tests.svc_auth.records import RECORD, add_key

pytestmark = pytest.mark.anyio
USER = User(id="a", username="alice", email="a@b", roles=("USER",), created_at=1)


def _differences(connection: Connection) -> list[Any]:
    options = {
        "version_table": "alembic_version_auth",
        "compare_type": True,
        "compare_server_default": True,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


async def test_the_migrations_make_the_tables_that_the_store_uses(tmp_path: Path) -> None:
    async with open_sqlite(f"sqlite:///{tmp_path}/auth.db") as database:
        await migrate(database, service="auth", folder=sql.MIGRATIONS)
        async with database.engine.connect() as connection:
            assert await connection.run_sync(_differences) == []


async def test_a_scheme_without_a_store_is_refused() -> None:
    with pytest.raises(UnknownSchemeError, match=r"auth\.store: no store for carrier-pigeon"):
        STORES.open("carrier-pigeon://coop")


@pytest.mark.parametrize(
    ("rival", "taken"),
    [
        (replace(USER, id="b", username="ALICE", email="b@b"), Taken.USERNAME),
        (replace(USER, id="b", username="bob", email="A@B"), Taken.EMAIL),
    ],
)
async def test_a_name_taken_between_the_look_and_the_insert_is_said_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rival: User, taken: Taken
) -> None:
    looks = 0
    real = sql_users._taken

    async def blind_at_first(connection: Any, user: User) -> Taken | None:
        nonlocal looks
        looks += 1
        return None if looks == 1 else await real(connection, user)

    async with sql.open_stores(f"sqlite:///{tmp_path}/auth.db") as store:
        await store.users.add_user(USER, "hash", RECORD)
        monkeypatch.setattr(sql_users, "_taken", blind_at_first)
        assert await store.users.add_user(rival, "hash", RECORD) is taken
        assert await store.users.find_user("b") is None


async def test_a_revoked_key_stays_as_a_row(tmp_path: Path) -> None:
    key = ApiKey(id="k", user_id="a", name="ci", prefix="p", created_at=1)
    url = f"sqlite:///{tmp_path}/auth.db"
    async with sql.open_stores(url) as store, open_sqlite(url) as database:
        await add_key(store, key, "hash")
        await store.keys.revoke_key("a", "k", at=42, record=RECORD)
        async with database.read() as connection:
            rows = (await connection.execute(select(API_KEYS.c.id, API_KEYS.c.revoked_at))).all()
    assert [tuple(row) for row in rows] == [("k", 42)]


@pytest.mark.parametrize("change", [update(AUDIT_LOG).values(detail="x"), delete(AUDIT_LOG)])
async def test_the_database_itself_refuses_to_change_the_audit_log(
    store_url: str, store: AuthStores, change: Any
) -> None:
    await store.audit.note(RECORD.entry)
    async with open_database(store_url, service="auth", folder=sql.MIGRATIONS) as database:
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.write() as connection:
                await connection.execute(change)
    (line,) = await store.audit.lines(AuditQuery(), before=None, limit=10)
    assert line.entry == RECORD.entry


async def test_a_key_from_before_is_found_by_its_hash(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/auth.db"
    async with open_sqlite(url) as database:
        async with database.write() as connection:
            await connection.run_sync(_at_first_revision)
        await migrate(database, service="auth", folder=sql.MIGRATIONS)
        async with database.read() as connection:
            rows = (await connection.execute(select(API_KEYS))).all()
    assert [(row.lookup, row.scopes, row.providers) for row in rows] == [("ab" * 16, "", "")]


def _at_first_revision(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(sql.MIGRATIONS))
    config.attributes.update(version_table="alembic_version_auth", connection=connection)
    command.upgrade(config, "0001")
    connection.exec_driver_sql(
        "INSERT INTO api_keys (id, user_id, name, prefix, key_hash, created_at)"
        " VALUES ('k', 'u', 'ci', 'p', ?, 1)",
        ("ab" * 32,),
    )
