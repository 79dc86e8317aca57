"""What `leaky doctor` says of schemas."""

import os
from pathlib import Path

import pytest

from mesh.cli.doctor.finding import Finding, Level
from svc_analytics.stores import SCHEMAS as ANALYTICS
from svc_auth.stores import SCHEMAS as AUTH
from tests.full.doctor.looking import look
from tests.parts.cassandra import migrated_keyspace
from tests.parts.postgresql import execute, fresh_database
from tests.parts.urls import CASSANDRA, POSTGRESQL, url

pytestmark = pytest.mark.anyio
on_postgresql = pytest.mark.skipif(not url(POSTGRESQL), reason="no PostgreSQL runs")
on_cassandra = pytest.mark.skipif(not url(CASSANDRA), reason="no Cassandra runs")


async def auth(folder: Path, store: str) -> Finding:
    return (await look(folder, "auth.store", LEAKY_AUTH_STORE=store))[-1]


@on_postgresql
async def test_a_database_before_and_after_it_is_migrated(tmp_path: Path) -> None:
    async with fresh_database() as store:
        found = await auth(tmp_path, store)
        assert (found.level, found.advice) == (Level.FAIL, "Run leaky migrate.")
        async with AUTH.open(store) as schema:
            await schema.upgrade()
        found = await auth(tmp_path, store)
        assert found.level is Level.OK
        assert "newest revision" in found.what
        await execute(store, "update alembic_version_auth set version_num = '9999'")
        found = await auth(tmp_path, store)
    assert found.level is Level.FAIL
    assert "9999" in found.what


@on_cassandra
async def test_a_keyspace_that_is_migrated(tmp_path: Path) -> None:
    store = await migrated_keyspace(ANALYTICS)
    found = await look(tmp_path, "analytics.store", LEAKY_ANALYTICS_STORE=store)
    assert [one.level for one in found] == [Level.OK] * 3


async def test_a_file_is_brought_up_to_date_by_its_service(tmp_path: Path) -> None:
    assert (await auth(tmp_path, "")).what.endswith("is made at the first start")
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    async with AUTH.open(f"sqlite:///{tmp_path}/auth.db") as schema:
        await schema.upgrade()
    found = await auth(tmp_path, "")
    assert found.level is Level.OK
    assert "newest revision" in found.what
