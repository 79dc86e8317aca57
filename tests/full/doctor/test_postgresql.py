"""What `leaky doctor` says of PostgreSQL."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mesh.cli.doctor.finding import Finding, Level
from tests.full.doctor.looking import levels, look
from tests.parts.postgresql import at, execute, fresh_database
from tests.parts.urls import POSTGRESQL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="no PostgreSQL runs"),
]


async def looked(folder: Path, store: str) -> list[Finding]:
    return await look(folder, "token.store", LEAKY_TOKEN_STORE=store)


async def test_a_wrong_password_is_told_of_and_not_shown(tmp_path: Path) -> None:
    parts = urlsplit(at("postgres"))
    store = parts._replace(netloc=f"{parts.username}:wr0ng-pw@{parts.hostname}:{parts.port}")
    (found, *_) = await looked(tmp_path, store.geturl())
    assert found.level is Level.FAIL
    assert "does not let us in" in found.what
    assert "LEAKY_TOKEN_STORE" in found.advice
    assert "wr0ng-pw" not in repr(found)


async def test_a_port_where_nobody_is(tmp_path: Path) -> None:
    (found, *_) = await looked(tmp_path, "postgresql://u:hidden-pw@127.0.0.1:1/d")
    assert found.level is Level.FAIL
    assert "no PostgreSQL answers at 127.0.0.1:1" in found.what
    assert "hidden-pw" not in repr(found)


async def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    (found, *_) = await looked(tmp_path, at("no_such_database"))
    assert found.level is Level.FAIL
    assert "createdb --owner" in found.advice


async def test_no_url_at_all(tmp_path: Path) -> None:
    (found, *_) = await looked(tmp_path, "postgresql://u:hidden-pw@127.0.0.1:nothing/d")
    assert found.level is Level.FAIL
    assert "hidden-pw" not in repr(found)


async def test_a_server_that_may_lose_what_it_has_answered(tmp_path: Path) -> None:
    async with fresh_database() as store:
        name = urlsplit(store).path.strip("/")
        await execute(store, f"alter database {name} set synchronous_commit = off")
        found = await looked(tmp_path, store)
        assert any("synchronous_commit is off" in one.what for one in found)
        await execute(store, f"alter database {name} set synchronous_commit = on")
        found = await looked(tmp_path, store)
    assert not any("synchronous_commit" in one.what for one in found)
    assert found[0].what.startswith("PostgreSQL 15.")
    assert any("clock" in one.what and one.level is Level.OK for one in found)
    assert Level.OK in levels(found)
