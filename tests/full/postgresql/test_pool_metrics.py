"""A pool's connections are told as they are: idle and in use."""

import pytest
from prometheus_client import REGISTRY

from mesh.storage.postgresql import open_postgresql
from tests.parts.postgresql import at
from tests.parts.urls import POSTGRESQL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]


def connections() -> tuple[float | None, ...]:
    return tuple(
        REGISTRY.get_sample_value("sql_pool_connections", {"state": state})
        for state in ("idle", "in_use")
    )


async def test_connections_are_counted_while_a_database_is_open() -> None:
    assert connections() == (0, 0)
    async with open_postgresql(at("postgres")) as database:
        assert connections() == (0, 0)
        async with database.engine.connect(), database.engine.connect():
            assert connections() == (0, 2)
        assert connections() == (2, 0)
        async with database.engine.connect():
            assert connections() == (1, 1)
        await database.ping()
        assert connections() == (2, 0)
    assert connections() == (0, 0)
