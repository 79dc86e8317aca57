"""Migrations at start: a folder made for it, and the folders of the services."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from mesh.storage.database import Database, open_sqlite
from mesh.storage.migrations import migrate
from mesh.storage.postgresql import open_postgresql
from mesh.storage.schema import NewerDataError
from mesh.storage.sql import open_database, open_schema
from svc_analytics.stores import sql as analytics
from svc_auth.stores import sql as auth
from svc_auth.stores.tables import METADATA as AUTH
from svc_stubs import stores as stubs
from svc_token.stores import sql as token
from svc_token.stores.tables import METADATA as TOKEN
from tests.parts.postgresql import fresh_database
from tests.parts.urls import POSTGRESQL, backends

pytestmark = pytest.mark.anyio
ENV = "from mesh.storage.migrations import run_environment\n\nrun_environment()\n"
STEPS = {
    "0001": 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True))',
    "0002": 'op.add_column("t", sa.Column("name", sa.String(9)))',
    "0003": 'op.execute("INSERT INTO t (id) VALUES (3)"); op.execute("INSERT INTO nowhere")',
}


class Folder:
    """A migrations folder that grows as a service does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "versions").mkdir(parents=True)
        (path / "env.py").write_text(ENV)
        self._last: str | None = None

    def release(self, revision: str) -> "Folder":
        (self.path / "versions" / f"{revision}_step.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = {revision!r}\ndown_revision = {self._last!r}\n"
            f"def upgrade():\n    {STEPS[revision]}\n"
        )
        self._last = revision
        return self


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    # Alembic's configuration takes a percent sign for a placeholder.
    return Folder(tmp_path / "100%" / "migrations").release("0001")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'a.db'}"


async def read(database: Database, work: Any) -> Any:
    async with database.read() as connection:
        return await connection.run_sync(work)


def columns(connection: Connection) -> list[str]:
    return [column["name"] for column in sa.inspect(connection).get_columns("t")]


def revision(connection: Connection) -> Any:
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version_own").scalar_one()


async def test_an_empty_database_is_brought_to_the_newest(folder: Folder, url: str) -> None:
    folder.release("0002")
    async with open_sqlite(url) as database:
        await migrate(database, service="own", folder=folder.path)
        assert await read(database, columns) == ["id", "name"]
        assert await read(database, revision) == "0002"


async def test_older_data_is_brought_up_and_kept(folder: Folder, url: str) -> None:
    async with open_sqlite(url) as database:
        await migrate(database, service="own", folder=folder.path)
        async with database.write() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (7)")
    folder.release("0002")
    async with open_sqlite(url) as database:
        for _start in range(2):
            await migrate(database, service="own", folder=folder.path)
        async with database.read() as connection:
            rows = (await connection.exec_driver_sql("SELECT * FROM t")).all()
    assert [tuple(row) for row in rows] == [(7, None)]


async def test_newer_data_is_refused_and_left_alone(
    folder: Folder, url: str, tmp_path: Path
) -> None:
    newer = Folder(tmp_path / "newer").release("0001").release("0002")
    async with open_sqlite(url) as database:
        await migrate(database, service="own", folder=newer.path)
        with pytest.raises(NewerDataError, match="the data of own is at revision 0002"):
            await migrate(database, service="own", folder=folder.path)
        assert await read(database, columns) == ["id", "name"]
        assert await read(database, revision) == "0002"


async def test_a_step_that_fails_is_undone_with_all_before_it(folder: Folder, url: str) -> None:
    async with open_sqlite(url) as database:
        await migrate(database, service="own", folder=folder.path)
        folder.release("0002").release("0003")
        with pytest.raises(OperationalError):
            await migrate(database, service="own", folder=folder.path)
        assert await read(database, columns) == ["id"]
        assert await read(database, revision) == "0001"


async def test_services_may_share_a_database(folder: Folder, url: str, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    step = STEPS["0001"].replace('"t"', '"u"')
    (other.path / "versions" / "0001_step.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '0001'\ndown_revision = None\ndef upgrade():\n    {step}\n"
    )
    async with open_sqlite(url) as database:
        await migrate(database, service="own", folder=folder.path)
        await migrate(database, service="other", folder=other.path)
        names = set(await read(database, lambda found: sa.inspect(found).get_table_names()))
    assert names == {"t", "u", "alembic_version_own", "alembic_version_other"}


SERVICES: Mapping[str, tuple[Path, sa.MetaData]] = {
    "analytics": (analytics.MIGRATIONS, analytics.METADATA),
    "auth": (auth.MIGRATIONS, AUTH),
    "stubs": (stubs.MIGRATIONS, stubs.PAYMENTS.metadata),
    "token": (token.MIGRATIONS, TOKEN),
}


def shape(connection: Connection) -> Mapping[str, Any]:
    """All that a schema says, for each table but Alembic's own."""
    found = sa.inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in found.get_foreign_keys(table)
            ),
            "unique": sorted(key["column_names"] for key in found.get_unique_constraints(table)),
            "checks": sorted(key["sqltext"] for key in found.get_check_constraints(table)),
            "indexes": sorted(
                (str(index["name"]), index["column_names"], index["unique"])
                for index in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
        if not table.startswith("alembic_version")
    }


@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def two_urls(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[str]]:
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path / name}.db" for name in ("migrated", "made")]
        return
    async with fresh_database() as migrated, fresh_database() as made:
        yield [migrated, made]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_services_migrations_lead_to_the_tables_it_uses(
    service: str, two_urls: list[str]
) -> None:
    path, metadata = SERVICES[service]
    migrated_url, made_url = two_urls
    async with open_schema(migrated_url, service=service, folder=path) as schema:
        await schema.upgrade()
    async with (
        open_database(migrated_url, service=service, folder=path) as migrated,
        open_any(made_url) as made,
    ):
        async with made.write() as connection:
            await connection.run_sync(metadata.create_all)
        differences = await read(migrated, lambda found: _differences(found, metadata))
        assert await read(migrated, shape) == await read(made, shape)
    assert differences == []


def open_any(url: str) -> AbstractAsyncContextManager[Database]:
    return open_sqlite(url) if url.startswith("sqlite:") else open_postgresql(url)


def _differences(connection: Connection, metadata: sa.MetaData) -> list[Any]:
    def ours(_thing: Any, name: str | None, kind: str, *_rest: Any) -> bool:
        return not (kind == "table" and str(name).startswith("alembic_version"))

    options = {"include_object": ours, "compare_type": True}
    found: list[Any] = compare_metadata(
        MigrationContext.configure(connection, opts=options), metadata
    )
    return found
