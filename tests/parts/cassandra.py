"""Keyspaces of our own on the Cassandra that PARTS_CASSANDRA names.

To make and drop a keyspace takes some seconds: a process makes one, and empties
it between tests.
"""

import asyncio
import atexit
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.query import tuple_factory

from mesh.storage.registry import Registry
from mesh.storage.schema import Schema
from tests.parts.urls import CASSANDRA, url

_kept: list[str] = []
_open = ExitStack()
SECONDS = 60
# The tables' partition keys.
_KEYS = {
    "usage_by_provider": "provider, day, shard",
    "usage_by_user": "user_id, provider, day",
    "usage_ids": "event_id",
    "usage_days": "part",
    "usage_hours": "provider, day",
    "usage_rollups": "provider, day",
}


def at(keyspace: str) -> str:
    """The part's URL with this keyspace."""
    return f"{url(CASSANDRA).rstrip('/')}/{keyspace}"


@asynccontextmanager
async def fresh_keyspace() -> AsyncIterator[str]:
    """The URL of a keyspace that is not there yet, and is gone afterwards."""
    name = _name()
    try:
        yield at(name)
    finally:
        await asyncio.to_thread(drop, name)


async def migrated_keyspace(schemas: Registry[Schema]) -> str:
    """The URL of a keyspace with all tables and without a row in them.

    It is the same one for all tests of a process, one after another.
    """
    if not _kept:
        name = _name()
        atexit.register(_drop_at_exit, name)
        async with schemas.open(at(name)) as schema:
            await schema.upgrade()
        _kept.append(name)
    else:
        await asyncio.to_thread(_empty, _kept[0])
    return at(_kept[0])


@cache
def _session() -> Session:
    # One for all tests; it ends with the process.
    return _open.enter_context(session())


@contextmanager
def session(server: str = "") -> Iterator[Session]:
    """A session of the driver's own kind, on the shared part or on the URL's."""
    address = urlsplit(server or url(CASSANDRA))
    host = str(address.hostname)
    profile = ExecutionProfile(
        WhiteListRoundRobinPolicy([host]), request_timeout=SECONDS, row_factory=tuple_factory
    )
    with Cluster(
        [host],
        port=address.port,
        protocol_version=5,
        connect_timeout=SECONDS,
        control_connection_timeout=SECONDS,
        # All other tests' tables, read at every start: on a busy machine for longer than it waits.
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
        # What it hears of other tests' tables it would look into while the process ends.
        schema_event_refresh_window=-1,
        topology_event_refresh_window=-1,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    ) as cluster:
        yield cluster.connect()


def _empty(keyspace: str) -> None:
    # TRUNCATE takes a second a table on a busy machine.
    for table, key in _KEYS.items():
        rows = _session().execute(f"SELECT DISTINCT {key} FROM {keyspace}.{table}")  # noqa: S608
        condition = " AND ".join(f"{column} = ?" for column in key.split(", "))
        delete = _session().prepare(f"DELETE FROM {keyspace}.{table} WHERE {condition}")  # noqa: S608
        execute_concurrent_with_args(_session(), delete, list(rows))


def execute(keyspace: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a statement that is run in a keyspace, given by its URL."""
    with session(keyspace) as opened:
        opened.set_keyspace(urlsplit(keyspace).path.removeprefix("/"))
        return list(opened.execute(statement))


def drop(keyspace: str) -> None:
    """Drops a keyspace; one that is not there is fine."""
    with session() as opened:
        opened.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")


def _drop_at_exit(keyspace: str) -> None:
    # Of itself: the driver starts no thread any more in a process that ends.
    here = Path(__file__).parents[2]
    drop = f"from tests.parts.cassandra import drop; drop({keyspace!r})"
    subprocess.run([sys.executable, "-c", drop], cwd=here, check=True)  # noqa: S603


def _name() -> str:
    return f"test_{os.getpid()}_{uuid4().hex[:8]}"
