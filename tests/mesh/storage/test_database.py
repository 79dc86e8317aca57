import asyncio
import random
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.database import Database, open_sqlite
from mesh.storage.schema import WrongDataError

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_sqlite(f"sqlite:///{tmp_path / 'new' / 'folder' / 'a.db'}") as opened:
        async with opened.write() as connection:
            await connection.exec_driver_sql(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"
            )
            await connection.exec_driver_sql("INSERT INTO t VALUES (1, 0)")
        yield opened


async def total(connection: AsyncConnection) -> int:
    count: int = (await connection.exec_driver_sql("SELECT sum(n) FROM t")).scalar_one()
    return count


async def add(connection: AsyncConnection, by: int = 1) -> None:
    await connection.exec_driver_sql("UPDATE t SET n = n + ?", (by,))


async def now(database: Database) -> int:
    async with database.read() as connection:
        return await total(connection)


async def test_a_transaction_is_kept_as_a_whole(database: Database) -> None:
    async with database.write() as connection:
        await add(connection)
        await add(connection)
    assert await now(database) == 2


async def test_an_error_undoes_the_transaction_and_the_next_one_goes_on(
    database: Database,
) -> None:
    async def then(statement: str) -> None:
        async with database.write() as connection:
            await add(connection)
            await connection.exec_driver_sql(statement)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await then("INSERT INTO t VALUES (2, 1)")
    with pytest.raises(IntegrityError):
        await then("INSERT INTO t VALUES (1, 1)")
    assert await now(database) == 0
    async with database.write() as connection:
        await add(connection)
    assert await now(database) == 1


async def test_a_reader_waits_for_no_writer_and_sees_nothing_of_it(database: Database) -> None:
    async with asyncio.timeout(PATIENCE), database.write() as writer:
        await add(writer, 5)
        assert await now(database) == 0
    assert await now(database) == 5


async def test_a_reader_keeps_its_snapshot_while_others_write(database: Database) -> None:
    async with asyncio.timeout(PATIENCE), database.read() as reader:
        assert await total(reader) == 0
        async with database.write() as writer:
            await add(writer, 5)
        assert await total(reader) == 0
    assert await now(database) == 5


async def test_writers_take_turns(database: Database) -> None:
    inside = most = 0

    async def write() -> None:
        nonlocal inside, most
        async with database.write() as connection:
            inside += 1
            most = max(most, inside)
            before = await total(connection)
            await asyncio.sleep(0)
            await connection.exec_driver_sql("UPDATE t SET n = ?", (before + 1,))
            inside -= 1

    await asyncio.gather(*(write() for _ in range(20)))
    assert most == 1
    assert await now(database) == 20


async def test_cancelled_writers_leave_nothing_behind_and_hold_nothing(
    database: Database,
) -> None:
    kept = 0
    choice = random.Random(7)  # noqa: S311 which await is hit, is no secret

    async def write() -> None:
        nonlocal kept
        async with database.write() as connection:
            await add(connection)
            await add(connection, -1)
            await add(connection)
        kept += 1

    async def read() -> None:
        await now(database)

    for _ in range(60):
        tasks = [asyncio.ensure_future(work()) for work in (write, read, write)]
        for _ in range(choice.randrange(12)):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        await write()
        # A cancelled one may have been past its commit, never halfway.
        assert kept <= await now(database) <= 121
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of a queue pool


async def test_a_cancelled_read_ends_at_once_and_the_next_one_goes_on(database: Database) -> None:
    begun = threading.Event()

    async def count_for_minutes() -> None:
        async with database.read() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.create_function("begun", 0, begun.set)
            await connection.exec_driver_sql(
                "WITH RECURSIVE c(x) AS (SELECT coalesce(begun(), 1) UNION ALL"
                " SELECT x + 1 FROM c WHERE x < 300000000) SELECT max(x) FROM c"
            )

    reading = asyncio.ensure_future(count_for_minutes())
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    reading.cancel()
    ended, _ = await asyncio.wait({reading}, timeout=PATIENCE)
    assert ended
    assert reading.cancelled()
    assert await now(database) == 0
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of a queue pool


async def test_data_is_durable_and_others_may_read_along(database: Database) -> None:
    async with database.read() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            found = (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one()
            assert found == value


async def away(database: Database) -> AppError:
    with pytest.raises(AppError) as refused:
        await database.ping()
    return refused.value


async def test_a_file_that_cannot_be_opened_is_a_database_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    with capture_logs() as logs:
        async with open_sqlite(f"sqlite:///{tmp_path / 'a.db'}") as database:
            error = await away(database)
            with pytest.raises(AppError):
                async with database.write():
                    pytest.fail("it was opened")
    assert (error.reason, error.retry_after) == (REASON_UNAVAILABLE, 1)
    assert str(tmp_path) not in error.message
    assert {log["error"] for log in logs} == {"unable to open database file"}


async def test_a_file_that_is_none_or_is_damaged_is_told_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    file.write_bytes(b"no database " * 1000)
    with pytest.raises(WrongDataError, match=r"a\.db cannot be used: file is not a database"):
        await _read_all(file)
    file.unlink()
    with sqlite3.connect(file) as plain:
        plain.execute("CREATE TABLE t (n TEXT)")
        plain.executemany("INSERT INTO t VALUES (?)", [("x" * 100,)] * 1000)
    plain.close()
    size = file.stat().st_size
    with file.open("r+b") as damaged:
        damaged.seek(size // 2)
        damaged.write(b"\xff" * (size // 2))
    with pytest.raises(WrongDataError, match=r"a\.db cannot be used: .* malformed"):
        await _read_all(file)


async def _read_all(file: Path) -> None:
    async with open_sqlite(f"sqlite:///{file}") as database, database.read() as connection:
        await connection.exec_driver_sql("SELECT count(n || n) FROM t")


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AppError, match=r"the folder .* cannot be made: ") as refused:
        async with open_sqlite(f"sqlite:///{tmp_path / 'file' / 'a.db'}"):
            pytest.fail("it was opened")
    assert refused.value.reason == REASON_UNAVAILABLE


async def test_a_database_that_another_process_holds_is_away_and_comes_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    async with open_sqlite(f"sqlite:///{path}") as database:
        async with database.write() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
            # The next write on this connection does not wait for others.
            await connection.exec_driver_sql("PRAGMA busy_timeout=0")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(AppError) as refused:
            async with database.write():
                pytest.fail("two writers")
        assert refused.value.reason == REASON_UNAVAILABLE
        other.execute("ROLLBACK")
        other.close()
        async with database.write() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (1)")


async def test_a_statement_that_is_wrong_is_a_fault_and_not_an_outage(
    database: Database,
) -> None:
    with pytest.raises(OperationalError, match="no such table"):
        async with database.write() as connection:
            await connection.exec_driver_sql("SELECT * FROM missing")
    await database.ping()


async def test_a_refusal_from_within_passes_as_it_is(database: Database) -> None:
    refusal = AppError(REASON_UNAVAILABLE, "mine")
    with pytest.raises(AppError) as caught:
        async with database.write():
            raise refusal
    assert caught.value is refusal
