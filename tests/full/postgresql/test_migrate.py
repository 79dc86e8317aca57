"""`leaky migrate`, and services that find a schema which is not theirs."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from mesh.storage.schema import NewerDataError, OlderDataError
from svc_token.stores import SCHEMAS, TOKEN_STORES
from tests.parts.postgresql import execute, fresh_database
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import TOPICS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
SERVICES = ("auth", "token", "analytics", "stubs")
NEWEST = dict.fromkeys(SERVICES, "0001") | {"auth": "0005", "token": "0006"}
NEW = {service: ["nothing", newest] for service, newest in NEWEST.items()}
UP_TO_DATE = {service: [newest, newest] for service, newest in NEWEST.items()}


@pytest.fixture
async def database() -> AsyncIterator[str]:
    async with fresh_database() as made:
        yield made


@pytest.fixture
def env(tmp_path: Path, database: str) -> Mapping[str, str]:
    """All services on one database."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("LEAKY_")}
    stores = {f"LEAKY_{service.upper()}_STORE": database for service in SERVICES}
    return {**clean, "LEAKY_DATA": str(tmp_path / "data"), **stores}


async def leaky(env: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """How it ended, and what it printed to whom."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mesh.cli", *arguments, env=env, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def rows(table: str) -> dict[str, list[str]]:
    """A row's cells without the store, by service."""
    lines = [[cell.strip() for cell in line.split("│")] for line in table.splitlines()]
    return {cells[1]: cells[3:-1] for cells in lines if len(cells) > 3 and cells[1] in SERVICES}


async def test_every_service_is_brought_to_the_newest_once(
    env: Mapping[str, str], database: str
) -> None:
    code, out, err = await leaky(env, "migrate", "--check")
    assert (code, rows(out)) == (1, NEW)
    assert "run leaky migrate" in err
    code, out, err = await leaky(env, "migrate", "--service", "token")
    assert (code, rows(out), err) == (0, {"token": NEW["token"]}, "")
    code, out, _ = await leaky(env, "migrate")
    assert code == 0
    assert rows(out) == NEW | {"token": UP_TO_DATE["token"]}
    code, out, err = await leaky(env, "migrate", "--check")
    assert (code, rows(out), err) == (0, UP_TO_DATE, "")
    password = database.split("@", maxsplit=1)[0].rpartition(":")[2]
    assert password not in out


async def test_any_number_may_run_at_once(env: Mapping[str, str]) -> None:
    for code, _, err in await asyncio.gather(*(leaky(env, "migrate") for _ in range(4))):
        assert (code, err) == (0, "")
    code, _, _ = await leaky(env, "migrate", "--check")
    assert code == 0


async def test_a_database_that_is_away_is_told_and_the_others_are_migrated(
    env: Mapping[str, str],
) -> None:
    lost = {**env, "LEAKY_AUTH_STORE": "postgresql://ada:hunter2@127.0.0.1:1/db"}
    code, out, err = await leaky(lost, "migrate")
    assert (code, rows(out)["stubs"]) == (1, ["nothing", "0001"])
    assert "auth: the database is away" in err
    assert "hunter2" not in out + err


async def test_what_is_no_such_service_or_url_is_refused(env: Mapping[str, str]) -> None:
    code, _, _ = await leaky(env, "migrate", "--service", "gateway")
    assert code == 2
    wrong = {**env, "LEAKY_AUTH_STORE": "postgresql://ada:hunter2@127.0.0.1:port/db"}
    code, out, err = await leaky(wrong, "migrate", "--service", "auth")
    assert (code, "postgresql://USER:PASSWORD@HOST" in err) == (2, True)
    assert "hunter2" not in out + err


async def test_a_service_on_older_data_does_not_start_and_says_what_to_do(
    env: Mapping[str, str],
) -> None:
    code, _, err = await leaky(env, "serve", "auth")
    assert code == 2
    assert "the data of auth is at revision none" in err
    assert "run leaky migrate" in err
    assert "Traceback" not in err


async def test_older_and_newer_data_are_refused_and_left_alone(database: str) -> None:
    with pytest.raises(OlderDataError, match="run leaky migrate"):
        async with TOKEN_STORES.open(database, topics=TOPICS):
            pytest.fail("it was opened")
    async with SCHEMAS.open(database) as schema:
        assert await schema.current() is None
        await schema.upgrade()
        assert await schema.current() == schema.newest
    async with TOKEN_STORES.open(database, topics=TOPICS) as stores:
        await stores.ping()
    await execute(database, "UPDATE alembic_version_token SET version_num = '9999'")
    with pytest.raises(NewerDataError, match="9999"):
        async with TOKEN_STORES.open(database, topics=TOPICS):
            pytest.fail("it was opened")
    async with SCHEMAS.open(database) as schema:
        with pytest.raises(NewerDataError, match="9999"):
            await schema.upgrade()
        assert await schema.current() == "9999"
