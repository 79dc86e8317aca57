"""Synchronous work on a SQLite file, each piece in one hop to a thread that owns a connection.

An asynchronous driver crosses to its thread and back for every statement; a
batch of them costs less when it crosses once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any, TypeVar
from weakref import WeakSet

import aiosqlite
from sqlalchemy import Connection, Engine

T = TypeVar("T")
END_SECONDS = 2.0


class ConnectionThread:
    """One thread, one connection kept open, one piece of work after another."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """The work's result; its transaction commits, or rolls back on an exception.

        The transaction is the driver's own: the work must not commit.
        Once begun it is not cut short: a cancelled caller does not undo it.
        """
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, self._run, work))

    def _run(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        # Said to the driver: on the way through SQLAlchemy it costs as much as the work.
        driver: Any = self._connection.connection.driver_connection
        driver.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
            driver.commit()
        except BaseException:
            driver.rollback()
            raise
        return result

    async def close(self) -> None:
        """Waits for what is under way and closes the connection."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


class DriverThreads:
    """The threads of aiosqlite's connections, all ended before their event loop is.

    A connection that could not be opened, or whose caller was cancelled, is
    stopped by nobody who waits: its thread's last word would meet a closed loop.
    """

    def __init__(self) -> None:
        self._threads: WeakSet[Thread] = WeakSet()

    def connect(self, *database: Any, **options: Any) -> aiosqlite.Connection:
        """What aiosqlite.connect gives, not opened yet."""
        connection = aiosqlite.connect(*database, **options)
        thread = connection._thread  # noqa: SLF001 it has no other name
        thread.daemon = True
        self._threads.add(thread)
        return connection

    async def close(self) -> None:
        """Waits for those that have been told to stop."""
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in [each for each in self._threads if each.is_alive()]:
            thread.join(END_SECONDS)
