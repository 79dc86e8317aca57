"""`transact` and `query`: whole pieces of work, beside `write` and `read`."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.database import Database, open_sqlite

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with open_sqlite(f"sqlite:///{path}") as opened:
        await opened.transact(_make)
        yield opened


def _make(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
    connection.exec_driver_sql("INSERT INTO t VALUES (1, 0)")


def add(connection: Connection) -> int:
    connection.exec_driver_sql("UPDATE t SET n = n + 1")
    return total(connection)


def total(connection: Connection) -> int:
    found: int = connection.exec_driver_sql("SELECT sum(n) FROM t").scalar_one()
    return found


async def test_work_is_one_transaction_and_gives_its_result(database: Database) -> None:
    assert await database.transact(add) == 1
    assert await database.query(total) == 1


async def test_an_error_undoes_the_work_and_the_next_one_goes_on(database: Database) -> None:
    def clash(connection: Connection) -> None:
        add(connection)
        connection.exec_driver_sql("INSERT INTO t VALUES (1, 1)")

    with pytest.raises(IntegrityError):
        await database.transact(clash)
    assert await database.query(total) == 0
    assert await database.transact(add) == 1


async def test_a_query_waits_for_no_writer_and_sees_nothing_of_it(database: Database) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        add(connection)
        begun.set()
        go.wait(PATIENCE)

    writing = asyncio.ensure_future(database.transact(slow))
    await asyncio.to_thread(begun.wait, PATIENCE)
    assert await database.query(total) == 0
    async with database.read() as connection:
        assert await connection.run_sync(total) == 0
    go.set()
    await writing
    assert await database.query(total) == 1


async def test_both_kinds_of_writers_take_turns(database: Database) -> None:
    async def write() -> None:
        async with database.write() as connection:
            before = await connection.run_sync(total)
            await asyncio.sleep(0)
            await connection.exec_driver_sql("UPDATE t SET n = ?", (before + 1,))

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(
            *(write() for _ in range(10)), *(database.transact(add) for _ in range(10))
        )
    assert await database.query(total) == 20


async def test_a_caller_that_leaves_does_not_undo_the_work(database: Database) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        go.wait(PATIENCE)
        add(connection)

    leaving = asyncio.ensure_future(database.transact(slow))
    await asyncio.to_thread(begun.wait, PATIENCE)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    after = asyncio.ensure_future(database.transact(add))
    go.set()
    assert await after == 2


async def test_the_end_waits_for_work_that_its_caller_has_left(path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        go.wait(PATIENCE)
        add(connection)

    async with open_sqlite(f"sqlite:///{path}") as database:
        await database.transact(_make)
        leaving = asyncio.ensure_future(database.transact(slow))
        await asyncio.to_thread(begun.wait, PATIENCE)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        asyncio.get_running_loop().call_soon(go.set)
    async with open_sqlite(f"sqlite:///{path}") as database:
        assert await database.query(total) == 1


async def test_a_database_that_another_process_holds_is_away_and_comes_back(
    database: Database, path: Path
) -> None:
    await database.transact(lambda c: c.exec_driver_sql("PRAGMA busy_timeout=0"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        with pytest.raises(AppError) as refused:
            await database.transact(add)
        assert refused.value.reason == REASON_UNAVAILABLE
    assert await database.query(total) == 0
    other.execute("ROLLBACK")
    other.close()
    assert await database.transact(add) == 1


async def test_a_file_that_cannot_be_opened_is_a_database_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    async with open_sqlite(f"sqlite:///{tmp_path / 'a.db'}") as database:
        for attempt in (database.transact, database.query):
            with pytest.raises(AppError) as refused:
                await attempt(total)
            assert refused.value.reason == REASON_UNAVAILABLE
        (tmp_path / "a.db").rmdir()
        await database.transact(_make)
        assert await database.query(total) == 0


async def test_a_statement_that_is_wrong_is_a_fault_and_not_an_outage(database: Database) -> None:
    for attempt in (database.transact, database.query):
        with pytest.raises(OperationalError, match="no such table"):
            await attempt(lambda c: c.exec_driver_sql("SELECT * FROM missing"))
        assert await attempt(total) == 0
