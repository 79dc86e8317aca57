"""One session with a cluster, awaited from asyncio.

The driver has threads of its own; what it finds out comes back to the event
loop through `call_soon_threadsafe`. Until the first connection is made, and
whenever the cluster is away, every call is an AppError UNAVAILABLE; the driver
finds its way back by itself.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import structlog
from cassandra.cluster import Cluster, Session
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.schema import WrongDataError
from mesh.telemetry.quiet import Quiet
from mesh.telemetry.redact import scrub
from svc_analytics.stores.cassandra.address import Address
from svc_analytics.stores.cassandra.cluster import AGAIN_SECONDS, AWAY, new_cluster
from svc_analytics.stores.cassandra.schema import check
from svc_analytics.stores.cassandra.statements import statements

Row = tuple[Any, ...]
Write = tuple[str, Sequence[Any]]
# More only wait in the server's queue, where their time runs.
IN_FLIGHT = 64
# Ten times as fast as one by one, and below what the server warns of (5 KiB, 10 partitions).
BATCH = 10
# Rows handed to the event loop at once.
PAGE = 1_000
log = structlog.get_logger("cassandra")


class CassandraSession:
    """Prepared statements by name; at most `IN_FLIGHT` at once."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._quiet = Quiet()
        self._places = asyncio.Semaphore(IN_FLIGHT)
        self._session: Session | None = None
        self._attempt: asyncio.Future[None] | None = None
        self._prepared: Mapping[str, PreparedStatement] = {}

    async def connect(self) -> None:
        """Tries to have a session; a cluster that is away is only logged.

        Raises WrongDataError when the tables are not as this version needs them.
        """
        if self._session is None:
            # Not cut short: what has begun in the thread must be closed as well.
            self._attempt = asyncio.ensure_future(asyncio.to_thread(self._connect))
            try:
                await asyncio.shield(self._attempt)
            except AWAY as error:
                if self._quiet.lets():
                    log.warning("cassandra is away", error=scrub(str(error)))

    async def keep_trying(self) -> None:
        """Until the first connection; from then on the driver reconnects."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            try:
                await self.connect()
            except WrongDataError as error:
                log.warning("cassandra is not ready", error=str(error))

    async def close(self) -> None:
        """Ends the session and the driver's threads."""
        if self._attempt is not None:
            await asyncio.wait({self._attempt})
        session, self._session = self._session, None
        if session is not None:
            await asyncio.to_thread(session.cluster.shutdown)

    async def rows(self, name: str, *values: Any) -> list[Row]:
        """All rows of the answer."""
        found: list[Row] = []
        await self.pages(found.extend, name, *values)
        return found

    async def pages(self, take: Callable[[Sequence[Row]], object], name: str, *values: Any) -> None:
        """Hands each page of the answer to `take`, in the event loop."""
        session = self._open()
        async with self._places:
            await _Answer(take, self._quiet).to(session, self._prepared[name].bind(values))

    async def write(self, *writes: Write) -> None:
        """Returns when all are durable; when it raises, some may be."""
        self._open()
        await together(
            self._write(writes[start : start + BATCH]) for start in range(0, len(writes), BATCH)
        )

    async def _write(self, writes: Sequence[Write]) -> None:
        # Nothing is promised over partitions, so no log of the batch is wanted.
        batch = BatchStatement(BatchType.UNLOGGED)
        for name, values in writes:
            batch.add(self._prepared[name], values)
        session = self._open()
        async with self._places:
            await _Answer(_nothing, self._quiet).to(session, batch)

    def _open(self) -> Session:
        if self._session is None:
            raise AppError(REASON_UNAVAILABLE, "cassandra is away", retry_after=1)
        return self._session

    def _connect(self) -> None:
        cluster: Cluster = new_cluster(self._address)
        try:
            session: Session = cluster.connect()
            keyspace = self._address.keyspace
            check(session, keyspace)
            session.default_fetch_size = PAGE
            cql = statements(keyspace)
            self._prepared = {name: session.prepare(text) for name, text in cql.items()}
        except BaseException:
            cluster.shutdown()
            raise
        self._session = session


class _Answer:
    """One request's pages, out of the driver's thread into the event loop."""

    def __init__(self, take: Callable[[Sequence[Row]], object], quiet: Quiet) -> None:
        self._quiet = quiet
        self._loop = asyncio.get_running_loop()
        self._take = take
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def to(self, session: Session, statement: Any) -> None:
        """Returns after the last page."""
        future = session.execute_async(statement)
        future.add_callbacks(self._page, self._error, callback_args=(future,))
        try:
            await self._done
        except AWAY as error:
            # Not the statement, whose parameters may be anybody's.
            if self._quiet.lets():
                log.warning("cassandra is away", error=scrub(str(error)))
            raise AppError(REASON_UNAVAILABLE, "cassandra is away", retry_after=1) from error

    def _page(self, rows: Sequence[Row] | None, future: Any) -> None:
        self._loop.call_soon_threadsafe(self._taken, rows or (), future)

    def _error(self, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._failed, error)

    def _taken(self, rows: Sequence[Row], future: Any) -> None:
        if self._done.done():
            return
        self._take(rows)
        if future.has_more_pages:
            future.start_fetching_next_page()
        else:
            self._done.set_result(None)

    def _failed(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


def _nothing(_rows: Sequence[Row]) -> None:
    pass


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once; the first failure ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for one in work:
                tasks.create_task(one)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
