"""A keyspace that has all tables and no row."""

import pytest

from svc_analytics.stores import SCHEMAS
from tests.parts import cassandra


@pytest.fixture
async def keyspace() -> str:
    return await cassandra.migrated_keyspace(SCHEMAS)
