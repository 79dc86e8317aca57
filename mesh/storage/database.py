"""An SQL database behind SQLAlchemy Core: short write transactions and read snapshots."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.schema import WrongDataError
from mesh.storage.sql_steps import SqlSteps
from mesh.storage.sqlite_threads import ConnectionThread, DriverThreads
from mesh.telemetry.quiet import Quiet

log = structlog.get_logger("database")
T = TypeVar("T")
_NO_DATABASE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
# WAL lets readers go on beside the writer; FULL makes each commit durable.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA foreign_keys=ON",
)


class Database:
    """Transactions on one database; a database that is away is an AppError UNAVAILABLE."""

    def __init__(
        self,
        engine: AsyncEngine,
        writers: AbstractAsyncContextManager[Any],
        *,
        outage: "Outage",
        embedded: bool,
    ) -> None:
        self.engine = engine
        self.outage = outage
        # Whether the service that opens it is the only one who looks after it.
        self.embedded = embedded
        self.steps = SqlSteps(engine.dialect.name)
        self._writers = writers

    @property
    def dialect(self) -> str:
        """What SQLAlchemy calls it: sqlite or postgresql."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end and rolls back on an exception."""
        async with self._writers:
            with self.steps("write"), self.outage:
                async with self.engine.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A snapshot; nothing in it may write."""
        with self.steps("read"), self.outage:
            async with self.engine.connect() as connection:
                await connection.execution_options(leaky_read_only=True)
                yield connection

    def scan(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """As `read`, for what goes through much and may take its time."""
        return self.read()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` in one write transaction; `work` is synchronous Core."""
        async with self.write() as connection:
            return await connection.run_sync(work)

    async def query(self, work: Callable[[Connection], T]) -> T:
        """The result of `work`: short reads, each statement of which sees a snapshot."""
        async with self.read() as connection:
            return await connection.run_sync(work)

    async def ping(self) -> None:
        """Raises AppError when the database does not answer."""
        async with self.read() as connection:
            await connection.exec_driver_sql("SELECT 1")


class SqliteDatabase(Database):
    """A SQLite file: `transact` crosses to its thread once, `query` not at all."""

    def __init__(self, engine: AsyncEngine, writer: ConnectionThread, reader: Engine) -> None:
        # SQLite has one writer; queueing here beats its busy polling.
        super().__init__(
            engine, asyncio.Lock(), outage=Outage(_cannot_reach, _cause), embedded=True
        )
        self._writer = writer
        self._reader = reader
        self._reading: Connection | None = None

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """One hop, one transaction."""
        async with self._writers:
            with self.steps("transact"), self.outage:
                return await self._writer.run(work)

    async def query(self, work: Callable[[Connection], T]) -> T:
        """On the event loop: a read by key takes less than a hop to a thread and back.

        Readers of a WAL wait for nobody. What scans belongs into `read`.
        """
        with self.steps("query"), self.outage:
            if self._reading is None:
                # In no transaction: to SQLAlchemy it is one that never ends.
                self._reading = self._reader.connect()
            return work(self._reading)

    async def close(self) -> None:
        """Closes what is kept open."""
        await self._writer.close()
        if self._reading is not None:
            self._reading.close()
        self._reader.dispose()
        await self.engine.dispose()


class Outage:
    """As a context: turns what says that the database is away into AppError UNAVAILABLE.

    `cause` is an error in one line that may be logged, at most once a second
    however many calls fail; `raises` is what kind of AppError it becomes.
    """

    def __init__(
        self,
        is_away: Callable[[BaseException | None], bool],
        cause: Callable[[BaseException], str],
        *,
        raises: type[AppError] = AppError,
    ) -> None:
        self._is_away = is_away
        self._raises = raises
        self._cause = cause
        self._quiet = Quiet()

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and self._is_away(error):
            if self._quiet.lets():
                log.warning("the database is away", error=self._cause(error))
            message = "the database is away"
            raise self._raises(REASON_UNAVAILABLE, message, retry_after=1) from error


def _cannot_reach(error: BaseException | None) -> bool:
    if isinstance(error, PoolTimeout):
        return True
    cause = _orig(error)
    # SQLite has one exception for a file it cannot reach and for a statement that is wrong.
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return False
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(cause, (sqlite3.OperationalError, sqlite3.InterfaceError))


def _orig(error: BaseException | None) -> BaseException | None:
    """The driver's error, be it from SQLAlchemy or from the driver itself."""
    return error.orig if isinstance(error, DBAPIError) else error


def _cause(error: BaseException) -> str:
    # Not the statement, whose parameters may be anybody's.
    return str(_orig(error))


@asynccontextmanager
async def open_sqlite(url: str) -> AsyncIterator[Database]:
    """A database in one file, `sqlite:///path`; its folder is made when missing.

    Raises WrongDataError for what ends the context because the file is none, or is damaged.
    """
    parsed = make_url(url).set(drivername="sqlite+aiosqlite")
    if parsed.database:
        _make_folder(Path(parsed.database).parent)
    threads = DriverThreads()
    engine = create_async_engine(
        parsed, hide_parameters=True, connect_args={"async_creator_fn": threads.connect}
    )
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    event.listen(engine.sync_engine, "handle_error", _cut_off)
    writer = ConnectionThread(_sync_engine(parsed), "sqlite-writer")
    database = SqliteDatabase(engine, writer, _sync_engine(parsed))
    try:
        yield database
    except (DBAPIError, sqlite3.DatabaseError) as error:
        # The primary code; the extended one has more in its higher bits.
        if getattr(_orig(error), "sqlite_errorcode", 0) & 0xFF in _NO_DATABASE:
            raise WrongDataError(f"{parsed.database} cannot be used: {_orig(error)}") from error
        raise
    finally:
        await database.close()
        await threads.close()


def _sync_engine(url: URL) -> Engine:
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), hide_parameters=True)
    event.listen(engine, "connect", _configure)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder {folder} cannot be made: {error.strerror}"
        raise AppError(REASON_UNAVAILABLE, message) from error


def _configure(connection: Any, _record: object) -> None:
    # SQLAlchemy, not the driver, says BEGIN: a write transaction takes the lock at once.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("leaky_read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _cut_off(context: ExceptionContext) -> None:
    """Ends a read whose caller has left: else that would wait for the driver's thread to end it."""
    connection = context.connection
    if connection is None or not isinstance(context.original_exception, asyncio.CancelledError):
        return
    if connection.get_execution_options().get("leaky_read_only") and not connection.invalidated:
        driver: Any = connection.connection.driver_connection
        # Its own interrupt() would queue behind what it is to interrupt.
        driver._conn.interrupt()  # noqa: SLF001 there is no other way
