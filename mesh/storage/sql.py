"""A service's own SQL database, by its URL: ready to work on, or to be migrated."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from mesh.storage.database import Database, open_sqlite
from mesh.storage.migrations import SqlSchema, prepare
from mesh.storage.schema import Schema

POSTGRESQL = "postgresql"


@asynccontextmanager
async def open_database(url: str, *, service: str, folder: Path) -> AsyncIterator[Database]:
    """The database of `sqlite:///path` or `postgresql://...`, at the folder's newest revision.

    A file is brought there; of a server OlderDataError says that it is not there.
    """
    async with _open(url, service) as database:
        await prepare(database, service=service, folder=folder)
        yield database


@asynccontextmanager
async def open_schema(url: str, *, service: str, folder: Path) -> AsyncIterator[Schema]:
    """The schema of a service in the database of the URL."""
    async with _open(url, service, patient=True) as database:
        yield SqlSchema(database=database, service=service, folder=folder)


def _open(
    url: str, service: str, *, patient: bool = False
) -> AbstractAsyncContextManager[Database]:
    if urlsplit(url).scheme != POSTGRESQL:
        return open_sqlite(url)
    # The driver is much to import for those who do not need it.
    from mesh.storage import asyncpg_engine, postgresql  # noqa: PLC0415

    patience = asyncpg_engine.MIGRATING if patient else asyncpg_engine.PATIENCE
    application = f"leaky-{service}"
    return postgresql.open_postgresql(url, application=application, patience=patience)
