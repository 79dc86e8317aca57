"""What `leaky doctor` says of Cassandra."""

from pathlib import Path

import pytest

from mesh.cli.doctor.finding import Finding, Level
from tests.full.doctor.looking import look
from tests.parts.cassandra import at, fresh_keyspace, session
from tests.parts.urls import CASSANDRA, url

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not url(CASSANDRA), reason="no Cassandra runs")]


async def looked(folder: Path, store: str) -> list[Finding]:
    return await look(folder, "analytics.store", LEAKY_ANALYTICS_STORE=store)


async def test_a_keyspace_is_there_or_not(tmp_path: Path) -> None:
    async with fresh_keyspace() as store:
        node, keyspace, *_ = await looked(tmp_path, store)
        assert node.level is Level.OK
        assert node.what.startswith("Cassandra 5.")
        assert keyspace.level is Level.FAIL
        assert keyspace.advice == "Run leaky migrate."
        name = store.rpartition("/")[2]
        replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
        with session() as made:
            made.execute(f"create keyspace {name} with replication = {replication}")
        _, keyspace, *_ = await looked(tmp_path, store)
    assert keyspace.level is Level.OK
    assert "replication 1" in keyspace.what


async def test_a_port_where_nobody_is(tmp_path: Path) -> None:
    (found, *_) = await looked(tmp_path, "cassandra://u:hidden-pw@127.0.0.1:1/leaky")
    assert found.level is Level.FAIL
    assert "no Cassandra answers at 127.0.0.1:1" in found.what
    assert "hidden-pw" not in repr(found)


async def test_no_url_at_all(tmp_path: Path) -> None:
    store = at("leaky").replace("//", "//u:hidden-pw@", 1).replace(":9042", "")
    (found, *_) = await looked(tmp_path, f"{store.rpartition(':')[0]}:nothing/leaky")
    assert found.level is Level.FAIL
    assert "hidden-pw" not in repr(found)
