"""Stores on an empty keyspace, each as a process of its own would have it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from svc_analytics.stores.cassandra.address import Address
from svc_analytics.stores.cassandra.lifetime import DAY_SECONDS
from svc_analytics.stores.cassandra.session import CassandraSession
from svc_analytics.stores.cassandra.store import CassandraUsageStore


@asynccontextmanager
async def opened(
    url: str, *, settle: float = 0.0, kind: type[CassandraSession] = CassandraSession
) -> AsyncIterator[CassandraUsageStore]:
    """A store whose rollups are made only when the test says so."""
    session = kind(Address.parse(url))
    await session.connect()
    try:
        yield CassandraUsageStore(session, ttl=90 * DAY_SECONDS, settle=settle)
    finally:
        await session.close()
