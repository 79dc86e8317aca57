"""Data of the first version: what it left behind counts after the upgrade."""

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text

from mesh.storage.database import open_sqlite
from mesh.storage.postgresql import open_postgresql
from svc_auth.domain.membership import Change, Standing
from svc_auth.domain.organization import Organization
from svc_auth.stores import SCHEMAS, STORES
from tests.parts.postgresql import fresh_database
from tests.parts.urls import POSTGRESQL, backends
from tests.svc_auth.records import RECORD

pytestmark = pytest.mark.anyio
ANN = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
ORG = "00000000-0000-4000-8000-00000000000a"
NAMES = {"org": ORG, "ann": ANN, "bob": BOB}
LEFT = """
INSERT INTO organizations VALUES (:org, 7);
INSERT INTO memberships VALUES (:org, :ann, 'OWNER', 8), (:org, :bob, 'MEMBER', 9);
CREATE TABLE alembic_version_auth (version_num VARCHAR(32) NOT NULL);
INSERT INTO alembic_version_auth VALUES ('0001')
"""


def _leave(connection: Connection) -> None:
    with Operations.context(MigrationContext.configure(connection)):
        import_module("svc_auth.migrations.versions.0001_initial").upgrade()
    for statement in map(text, LEFT.split(";")):
        connection.execute(statement, {name: NAMES[name] for name in statement.compile().params})


@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def left(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a store that the first version wrote."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/auth.db"
        async with open_sqlite(url) as file, file.write() as connection:
            await connection.run_sync(_leave)
        yield url
        return
    async with fresh_database() as url:
        async with open_postgresql(url) as database, database.write() as connection:
            await connection.run_sync(_leave)
        yield url


async def test_organisations_keep_their_members_and_get_a_name_and_roles(left: str) -> None:
    async with SCHEMAS.open(left) as schema:
        await schema.upgrade()
    async with STORES.open(left) as store:
        found = await store.organizations.find_organization(ORG)
        assert found == Organization(id=ORG, name=ORG, created_at=7)
        members = await store.memberships.members_of(ORG)
        assert [(one.user_id, one.standing, one.joined_at) for one in members] == [
            (ANN, Standing.OWNER, 8),
            (BOB, Standing.MEMBER, 9),
        ]
        changed = await store.memberships.set_standing(ORG, BOB, Standing.BILLING, record=RECORD)
        assert changed is Change.DONE
