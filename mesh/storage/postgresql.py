"""A PostgreSQL server, through asyncpg and SQLAlchemy Core.

Writers are READ COMMITTED and lock the rows that they read; readers see a
snapshot. The schema is the business of `leaky migrate`, not of a service.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeVar, cast

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from mesh.errors import CommitUnknownError
from mesh.failpoints import failpoint
from mesh.resilience.bulkhead import Bulkhead
from mesh.storage.asyncpg_engine import (
    CONNECTIONS,
    PATIENCE,
    SCANNING,
    SCANS,
    UNSORTED,
    Patience,
    make_engine,
)
from mesh.storage.database import Database, Outage
from mesh.storage.postgresql_errors import cause, is_away, is_conflict
from mesh.telemetry.storage import IDLE, IN_USE

T = TypeVar("T")
# How often work is done at most that other transactions come between.
TRIES = 5
_CONNECTED = failpoint("postgresql.connected")
_WORKED = failpoint("postgresql.commit.before")
_COMMITTED = failpoint("postgresql.commit.after")


class PostgresqlDatabase(Database):
    """Transactions on a server that other processes write to as well.

    `scans` is for long reads, whose connections and time are their own.
    """

    def __init__(self, engine: AsyncEngine, scans: AsyncEngine, patience: float) -> None:
        # The server's row locks order the writers.
        super().__init__(engine, nullcontext(), outage=Outage(is_away, cause), embedded=False)
        self._outage_of_commit = Outage(_unknown, cause, raises=CommitUnknownError)
        self._statements = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = _snapshots(engine)
        self._scans = _snapshots(scans)
        self._places, self._patience = Bulkhead(limit=CONNECTIONS, queue=sys.maxsize), patience

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end and rolls back on an exception."""
        with self.steps("write"), self.outage:
            async with self._turn(), self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A snapshot; the server refuses to write in it."""
        with self.steps("read"), self.outage:
            async with self._turn(), self._snapshots.connect() as connection:
                yield connection

    @asynccontextmanager
    async def scan(self) -> AsyncIterator[AsyncConnection]:
        """As `read`; a statement may take a minute, and keeps none of the others waiting."""
        with self.steps("scan"), self.outage:
            async with self._scans.connect() as connection:
                yield connection

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` in one transaction.

        Done again, `work` included, when another transaction came between (a
        serialisation failure, a deadlock, a key that somebody else has just
        inserted), or when the connection was lost before the commit was sent.
        Raises CommitUnknownError for a commit whose answer is lost.
        """
        with self.steps("transact"), self.outage:
            return await _repeated(lambda: self._transact(work))

    async def _transact(self, work: Callable[[Connection], T]) -> T:
        async with self._turn(), self.engine.connect() as connection:
            _CONNECTED()
            result = await connection.run_sync(work)
            _WORKED()
            # Whatever is lost from here on is not tried again.
            with self._outage_of_commit:
                await connection.commit()
            _COMMITTED()
            return result

    async def query(self, work: Callable[[Connection], T]) -> T:
        """The result of `work`: short reads, each statement of which sees a snapshot."""
        with self.steps("query"), self.outage:
            return await _repeated(lambda: self._query(work))

    async def _query(self, work: Callable[[Connection], T]) -> T:
        async with self._turn(), self._statements.connect() as connection:
            return await connection.run_sync(work)

    def _turn(self) -> AbstractAsyncContextManager[None]:
        """A connection's, in the order of asking.

        SQLAlchemy's pool for asyncio wakes one who waits, and lets whoever comes meanwhile
        pass: with 64 callers at 8 connections some waited for 1.5 s, and were told that the
        database is away, where each would have had its turn after 0.2 s.
        """
        return self._places.enter(self._patience)

    async def ping(self) -> None:
        """Raises AppError when the server does not answer."""
        await self.query(lambda connection: connection.exec_driver_sql("SELECT 1"))


def _snapshots(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _pool(engine: AsyncEngine) -> QueuePool:
    # Asked for each time: an engine makes another one when it is disposed of.
    return cast("QueuePool", engine.pool)


def _unknown(error: BaseException | None) -> bool:
    # The driver's own error says that it knew of the loss, and has sent nothing.
    return is_away(error) and not isinstance(error, InterfaceError)


async def _repeated(attempt: Callable[[], Awaitable[T]]) -> T:
    lost = False
    for left in reversed(range(TRIES)):
        try:
            return await attempt()
        except DBAPIError as error:
            if not left or not (is_conflict(error) or (error.connection_invalidated and not lost)):
                raise
            lost = lost or error.connection_invalidated
    raise AssertionError("unreachable")


@asynccontextmanager
async def open_postgresql(
    url: str,
    *,
    application: str = "leaky",
    patience: Patience = PATIENCE,
    scanning: Patience = SCANNING,
) -> AsyncIterator[PostgresqlDatabase]:
    """The database of a libpq URL, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.

    Without a password in it asyncpg looks at PGPASSWORD and PGPASSFILE.
    Nothing is connected before it is needed. Raises SettingsError for no such URL.
    """
    engine = make_engine(url, application, patience)
    scans = make_engine(url, f"{application}-scan", scanning, connections=SCANS, planner=UNSORTED)
    try:
        with (
            IDLE.reading(lambda: _pool(engine).checkedin()),
            IN_USE.reading(lambda: _pool(engine).checkedout()),
        ):
            yield PostgresqlDatabase(engine, scans, patience.connection)
    finally:
        await scans.dispose()
        await engine.dispose()
