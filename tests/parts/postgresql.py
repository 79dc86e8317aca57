"""Databases of our own on the PostgreSQL that PARTS_POSTGRESQL names.

To make, migrate and drop a database takes ten times as long as to empty one
(0.4 s): a process makes one for each service, and empties it between tests.
"""

import asyncio
import atexit
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from mesh.storage.registry import Registry
from mesh.storage.schema import Schema
from tests.parts.urls import POSTGRESQL, url

_kept: dict[str, str] = {}
# Those that refer to others first; also what no service may delete.
_OURS = """
SELECT string_agg(format(CASE WHEN EXISTS (
    SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal
  ) THEN 'ALTER TABLE %1$s DISABLE TRIGGER USER; DELETE FROM %1$s;'
    ' ALTER TABLE %1$s ENABLE TRIGGER USER'
  ELSE 'DELETE FROM %s' END, oid::regclass), '; ' ORDER BY EXISTS (
  SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'f') DESC)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  AND relname NOT LIKE 'alembic_version%'
"""


def at(database: str) -> str:
    """The server's URL with this database."""
    return f"{url(POSTGRESQL).rstrip('/')}/{database}"


@asynccontextmanager
async def fresh_database() -> AsyncIterator[str]:
    """The URL of a new and empty database, which is gone afterwards."""
    name = await _create("fresh")
    try:
        yield at(name)
    finally:
        await drop(name)


async def store_url(backend: str, folder: Path, service: str, schemas: Registry[Schema]) -> str:
    """An empty store's URL: a file in the folder, or the service's database."""
    if backend == "postgresql":
        return await migrated_database(service, schemas)
    return f"sqlite:///{folder / service}.db"


async def migrated_database(service: str, schemas: Registry[Schema]) -> str:
    """The URL of a database at the service's newest revision, without a row in it.

    It is the same one for all tests of a process, one after another.
    """
    if service not in _kept:
        name = await _create(service)
        atexit.register(lambda: asyncio.run(drop(name)))
        async with schemas.open(at(name)) as schema:
            await schema.upgrade()
        _kept[service] = at(name)
    await _empty(_kept[service])
    return _kept[service]


async def execute(database: str, statement: str) -> None:
    """Runs a statement on a connection of its own."""
    connection = await asyncpg.connect(database, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def row(database: str, query: str, *values: object) -> tuple[Any, ...]:
    """A query's only row."""
    connection = await asyncpg.connect(database, timeout=10)
    try:
        found = await connection.fetchrow(query, *values)
    finally:
        await connection.close()
    return tuple(found)


async def _empty(database: str) -> None:
    connection = await asyncpg.connect(database, timeout=10)
    try:
        await connection.execute(await connection.fetchval(_OURS))
    finally:
        await connection.close()


async def drop(name: str) -> None:
    """Drops a database, whoever is connected to it; one that is not there is fine."""
    # First without FORCE: it sends autovacuum away, which belongs to another role and which
    # FORCE may not end, and waits 5 s for connections that are being closed.
    try:
        await _administer(f"DROP DATABASE IF EXISTS {name}")
    except asyncpg.ObjectInUseError:
        await _administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _administer(statement: str) -> None:
    await execute(at("postgres"), statement)


async def _create(what: str) -> str:
    name = f"test_{what}_{os.getpid()}_{uuid4().hex[:8]}"
    await _administer(f"CREATE DATABASE {name}")
    # Nothing here has to outlive a crash of the machine.
    await _administer(f"ALTER DATABASE {name} SET synchronous_commit = off")
    return name
