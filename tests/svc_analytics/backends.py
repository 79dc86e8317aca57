"""Every kind of usage store that there is here, each empty."""

from pathlib import Path

from svc_analytics.stores import SCHEMAS
from tests.parts import cassandra, postgresql
from tests.parts.urls import CASSANDRA, POSTGRESQL, backends

BACKENDS = backends("sqlite", postgresql=POSTGRESQL, cassandra=CASSANDRA)


async def store_url(backend: str, folder: Path) -> str:
    """Where an empty store with all its tables is."""
    if backend == "cassandra":
        return await cassandra.migrated_keyspace(SCHEMAS)
    return await postgresql.store_url(backend, folder, "analytics", SCHEMAS)
