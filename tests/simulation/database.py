"""A database server in one SQLite file that is none, with commits that are slow or of unknown end.

Writes come one at a time, as under the locks of a server that everybody's rows
share; each runs as a whole between two awaits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, StaticPool, create_engine, event

from mesh.storage.database import Database
from tests.simulation.loop import Process
from tests.simulation.network import LostError, Network

T = TypeVar("T")
Work = Callable[[Connection], T]
# SQLAlchemy's statements, compiled once for all the seeds of a run.
_COMPILED: dict[Any, Any] = {}


class _Undone(Exception):  # noqa: N818 it is no error: it only rolls back
    """Another transaction came between."""


class Server:
    """Owns the tables; `committed` is told after every commit that changed something."""

    def __init__(self, network: Network, metadata: MetaData, name: str) -> None:
        self.network = network
        self.process = Process(name)
        self.committed: Callable[[], None] = lambda: None
        self.turns: dict[str, Process] = {}
        self._lock = asyncio.Lock()
        self._engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(self._engine, "connect", _manual)
        self._engine = self._engine.execution_options(compiled_cache=_COMPILED)
        metadata.create_all(self._engine)
        self.connection = self._engine.connect()
        raw: Any = self.connection.connection.driver_connection
        self.raw = raw
        self._changes: int = raw.total_changes

    def close(self) -> None:
        """Forgets everything."""
        self.connection.close()
        self._engine.dispose()

    def look(self, work: Work[T]) -> T:
        """What the work reads, all of it from one state."""
        with self.connection.begin():
            return work(self.connection)

    def run(self, work: Work[T]) -> T:
        """The work in one transaction."""
        with self.connection.begin():
            self.raw.execute("BEGIN")
            result = work(self.connection)
        if self.raw.total_changes != self._changes:
            self._changes = self.raw.total_changes
            self.committed()
        return result

    def undo(self, work: Work[Any]) -> None:
        """The work, all of which comes to nothing."""

        def undone(connection: Connection) -> None:
            work(connection)
            raise _Undone

        try:
            self.run(undone)
        except _Undone:
            self._changes = self.raw.total_changes

    async def ask(self, work: Work[T], *, write: bool) -> T:
        """What a client of the server gets; LostError when it cannot know."""
        answer: asyncio.Future[T] = self.network.loop.create_future()
        serve = self._write(work, answer) if write else self._read(work, answer)
        self.network.loop.spawn(self.process, serve)
        return await answer

    async def _read(self, work: Work[T], answer: "asyncio.Future[T]") -> None:
        await self.network.pause()
        if self.network.chance(self.network.faults.lost_request):
            _tell(answer, LostError("the database"))
            return
        try:
            result = self.look(work)
        except Exception as error:  # noqa: BLE001 it is the caller's
            _tell(answer, error)
            return
        await self.network.pause()
        _answer(answer, result)

    async def _write(self, work: Work[T], answer: "asyncio.Future[T]") -> None:
        network = self.network
        await network.pause()
        if network.chance(network.faults.lost_request):
            _tell(answer, LostError("the database"))
            return
        async with self._lock:
            await network.pause()
            unknown = network.chance(network.faults.unknown_commit)
            if unknown and network.chance(0.5):
                network.trace("a commit that comes after its failure")
                _tell(answer, LostError("the database"))
                await asyncio.sleep(network.loop.random.random())
            try:
                if network.chance(network.faults.conflict):
                    self.undo(work)
                result = self.run(work)
            except Exception as error:  # noqa: BLE001 it is the caller's
                _tell(answer, error)
                return
        if unknown:
            network.trace("a commit whose answer is lost")
            _tell(answer, LostError("the database"))
            return
        await network.pause()
        _answer(answer, result)


def _manual(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _tell(answer: "asyncio.Future[Any]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _answer(answer: "asyncio.Future[T]", result: T) -> None:
    if not answer.done():
        answer.set_result(result)


@dataclass(slots=True)
class _Async:
    """A snapshot: as nothing here waits, nothing comes between."""

    connection: Connection

    @property
    def dialect(self) -> Any:
        return self.connection.dialect

    async def execute(self, *statement: Any) -> Any:
        return self.connection.execute(*statement)

    async def exec_driver_sql(self, statement: str) -> Any:
        return self.connection.exec_driver_sql(statement)


class SimDatabase(Database):
    """One process' way to the server."""

    def __init__(self, server: Server, process: Process) -> None:
        # Nothing of the real one is used: there is no engine.
        self.embedded = False
        self._server = server
        self._process = process

    @property
    def dialect(self) -> str:
        """Whose SQL it is."""
        return "sqlite"

    async def transact(self, work: Work[T]) -> T:
        """As a server does it: again when another transaction came between."""
        return await self._server.ask(work, write=True)

    async def query(self, work: Work[T]) -> T:
        """A snapshot."""
        return await self._server.ask(work, write=False)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        """A snapshot, whose statements take no time of their own."""
        await self._server.ask(lambda _connection: None, write=False)
        with self._server.connection.begin():
            yield _Async(self._server.connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Any]:
        """A transaction, whose statements take no time of their own."""
        await self._server.ask(lambda _connection: None, write=False)
        with self._server.connection.begin():
            self._server.raw.execute("BEGIN")
            yield _Async(self._server.connection)
        await self._server.ask(lambda _connection: None, write=False)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[bool]:
        """As a lock of the server's that ends with its connection."""
        await self._server.ask(lambda _connection: None, write=False)
        holder = self._server.turns.get(name)
        mine = holder is None or not holder.alive
        if mine:
            self._server.turns[name] = self._process
        try:
            yield mine
        finally:
            if mine:
                del self._server.turns[name]

    async def ping(self) -> None:
        """Whether it answers."""
        await self._server.ask(lambda _connection: None, write=False)
