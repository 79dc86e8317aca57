"""A database server in one SQLite file that is none, with commits that are slow or of unknown end.

Writes come one at a time, as under the locks of a server that everybody's rows
share; each runs as a whole between two awaits.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, NullPool, create_engine, event

from mesh.storage.database import Database
from tests.simulation.loop import Process
from tests.simulation.network import LostError, Network

T = TypeVar("T")
Work = Callable[[Connection], T]
# Each connection has a database of its own, and all have the statements that are compiled.
_ENGINE = create_engine("sqlite://", poolclass=NullPool, query_cache_size=2_000)


class _Undone(Exception):  # noqa: N818 it is no error: it only rolls back
    """Another transaction came between."""


class Server:
    """Owns the tables; `committed` is told after every commit that changed something."""

    def __init__(self, network: Network, metadata: MetaData, name: str) -> None:
        self.network = network
        self.process = Process(name)
        self.committed: Callable[[], None] = lambda: None
        self.turns: dict[str, Process] = {}
        # Those that wait for their turn, behind the one that has it.
        self._writes: deque[_Asked] = deque()
        self.connection = _ENGINE.connect()
        metadata.create_all(self.connection)
        self.connection.commit()
        raw: Any = self.connection.connection.driver_connection
        self.raw = raw
        self._changes: int = raw.total_changes

    def close(self) -> None:
        """Forgets everything."""
        self.connection.close()

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
        asked = _Asked(work, self.network.loop.create_future())
        self._soon(self._write if write else self._read, asked)
        result: T = await asked.answer
        return result

    def _soon(self, step: Callable[["_Asked"], None], asked: "_Asked") -> None:
        """After one way's time, in the server."""
        self._in(self.network.latency(), step, asked)

    def _in(self, seconds: float, step: Callable[["_Asked"], None], asked: "_Asked") -> None:
        self.network.loop.after(seconds, self.process, step, asked)

    def _read(self, asked: "_Asked") -> None:
        if self.network.chance(self.network.faults.lost_request):
            asked.fail(LostError("the database"))
            return
        try:
            asked.result = self.look(asked.work)
        except Exception as error:  # noqa: BLE001 it is the caller's
            asked.fail(error)
            return
        self._soon(_Asked.tell, asked)

    def _write(self, asked: "_Asked") -> None:
        if self.network.chance(self.network.faults.lost_request):
            asked.fail(LostError("the database"))
            return
        self._writes.append(asked)
        if len(self._writes) == 1:
            self._soon(self._begin, asked)

    def _begin(self, asked: "_Asked") -> None:
        """Its turn has come, and nobody else's does before its end."""
        network = self.network
        asked.unknown = network.chance(network.faults.unknown_commit)
        if asked.unknown and network.chance(0.5):
            network.trace("a commit that comes after its failure")
            asked.fail(LostError("the database"))
            self._in(network.loop.random.random(), self._commit, asked)
        else:
            self._commit(asked)

    def _commit(self, asked: "_Asked") -> None:
        network = self.network
        try:
            if network.chance(network.faults.conflict):
                self.undo(asked.work)
            asked.result = self.run(asked.work)
        except Exception as error:  # noqa: BLE001 it is the caller's
            asked.fail(error)
        else:
            if asked.unknown:
                network.trace("a commit whose answer is lost")
                asked.fail(LostError("the database"))
            else:
                self._soon(_Asked.tell, asked)
        self._writes.popleft()
        if self._writes:
            self._soon(self._begin, self._writes[0])


@dataclass(slots=True, eq=False)
class _Asked:
    """What a client waits for; it may have been told that it will not know."""

    work: Work[Any]
    answer: "asyncio.Future[Any]"
    result: Any = None
    unknown: bool = False

    def tell(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self.result)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


@event.listens_for(_ENGINE, "connect")
def _manual(connection: Any, _record: object) -> None:
    connection.isolation_level = None


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
