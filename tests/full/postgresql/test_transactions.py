"""What a transaction on PostgreSQL promises, beside what all databases do."""

import asyncio
import random
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.util import await_only

from mesh.errors import AppError
from mesh.storage.asyncpg_engine import CONNECTIONS, Patience
from mesh.storage.postgresql import TRIES, PostgresqlDatabase, open_postgresql
from tests.parts.postgresql import execute, fresh_database
from tests.parts.urls import POSTGRESQL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
PATIENCE = 30.0
SCHEMA = "CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL CHECK (n < 1000))"
# What one of our processes calls itself.
OURS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leaky'"
    " AND datname = current_database()"
)
T = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
)


@pytest.fixture(scope="module")
async def database_url(anyio_backend: str) -> AsyncIterator[str]:
    assert anyio_backend
    async with fresh_database() as made:
        await execute(made, SCHEMA)
        yield made


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[PostgresqlDatabase]:
    await execute(database_url, "DELETE FROM t; INSERT INTO t VALUES (1, 0), (2, 0)")
    async with open_postgresql(database_url) as opened:
        yield opened


def add(connection: sa.Connection, id_: int = 1, by: int = 1) -> None:
    connection.execute(sa.update(T).where(T.c.id == id_).values(n=T.c.n + by))


def total(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.sum(T.c.n))).scalar_one())


async def test_a_transaction_is_kept_as_a_whole_or_not_at_all(
    database: PostgresqlDatabase,
) -> None:
    def twice_and_fail(connection: sa.Connection) -> None:
        add(connection)
        add(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transact(twice_and_fail)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as connection:
            await connection.run_sync(twice_and_fail)
    assert await database.query(total) == 0
    await database.transact(add)
    async with database.write() as connection:
        await connection.run_sync(add)
    assert await database.query(total) == 2


async def test_what_reads_from_end_to_end_has_time_and_connections_of_its_own(
    database_url: str,
) -> None:
    hasty, long = Patience(statement=0.1), sa.text("SELECT pg_sleep(0.3)")
    async with open_postgresql(database_url, patience=hasty) as database, AsyncExitStack() as stack:
        with pytest.raises(AppError, match="the database is away"):
            async with database.read() as connection:
                await connection.execute(long)
        for _ in range(CONNECTIONS):
            await stack.enter_async_context(database.read())
        async with database.scan() as connection:
            await connection.execute(long)


async def test_a_scan_is_of_one_moment_and_cannot_write(database: PostgresqlDatabase) -> None:
    async with database.scan() as connection:
        assert await connection.run_sync(total) == 0
        await database.transact(add)
        assert await connection.run_sync(total) == 0
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await connection.run_sync(add)


async def test_a_reader_keeps_its_snapshot_and_cannot_write(database: PostgresqlDatabase) -> None:
    async with database.read() as connection:
        assert await connection.run_sync(total) == 0
        await database.transact(add)
        assert await connection.run_sync(total) == 0
    assert await database.query(total) == 1
    with pytest.raises(AppError) as refused:
        async with database.read() as connection:
            await connection.run_sync(add)
    assert "read-only transaction" in str(refused.value.__cause__)
    await database.transact(add)
    assert await database.query(total) == 2


async def test_deadlocked_work_is_done_again_and_none_of_it_twice(
    database: PostgresqlDatabase,
) -> None:
    meet = asyncio.Barrier(2)
    tries = 0

    def crosswise(first: int, second: int) -> "asyncio.Future[None]":
        async def both() -> None:
            met = False

            def work(connection: sa.Connection) -> None:
                nonlocal met, tries
                tries += 1
                add(connection, first)
                if not met:
                    met = True
                    await_only(meet.wait())
                add(connection, second)

            await database.transact(work)

        return asyncio.ensure_future(both())

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(crosswise(1, 2), crosswise(2, 1))
    assert tries == 3
    assert await database.query(total) == 4


async def test_a_key_that_somebody_else_has_just_inserted_is_looked_for_again(
    database: PostgresqlDatabase, database_url: str
) -> None:
    tries = 0

    def find_or_make(connection: sa.Connection) -> str:
        nonlocal tries
        tries += 1
        if connection.execute(sa.select(T).where(T.c.id == 9)).first():
            return "found"
        if tries == 1:
            # Between the look and the insert.
            await_only(execute(database_url, "INSERT INTO t VALUES (9, 0)"))
        connection.execute(sa.insert(T).values(id=9, n=0))
        return "made"

    assert await database.transact(find_or_make) == "found"
    assert tries == 2


async def test_what_never_goes_well_is_given_up(database: PostgresqlDatabase) -> None:
    tries = 0

    def clash(connection: sa.Connection) -> None:
        nonlocal tries
        tries += 1
        add(connection)
        connection.execute(sa.insert(T).values(id=1, n=0))

    with pytest.raises(IntegrityError):
        await database.transact(clash)
    assert tries == TRIES
    assert await database.query(total) == 0


async def test_cancelled_writers_leave_nothing_behind_and_hold_nothing(
    database: PostgresqlDatabase,
) -> None:
    kept = 0
    choice = random.Random(7)  # noqa: S311 which await is hit, is no secret

    def work(connection: sa.Connection) -> None:
        add(connection)
        add(connection, by=-1)
        add(connection)

    async def write() -> None:
        nonlocal kept
        await database.transact(work)
        kept += 1

    async def read() -> None:
        await database.query(total)

    async with asyncio.timeout(2 * PATIENCE):
        for _ in range(30):
            tasks = [asyncio.ensure_future(work()) for work in (write, read, write)]
            for _ in range(choice.randrange(20)):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await write()
    # A cancelled one may have been past its commit, never halfway.
    assert kept <= await database.query(total) <= 61
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of a queue pool


async def test_more_than_there_are_connections_for_take_turns(
    database: PostgresqlDatabase,
) -> None:
    def one_more(connection: sa.Connection) -> int:
        add(connection)
        return int(connection.execute(OURS).scalar_one())

    seen = await asyncio.gather(*(database.transact(one_more) for _ in range(5 * CONNECTIONS)))
    assert await database.query(total) == 5 * CONNECTIONS
    assert max(seen) <= CONNECTIONS


async def test_an_error_tells_neither_parameters_nor_rows(database: PostgresqlDatabase) -> None:
    with pytest.raises(DBAPIError) as refused:
        await database.transact(lambda c: c.execute(sa.update(T).values(n=123_456_789)))
    told = "".join(traceback.format_exception(refused.value))
    assert "CheckViolationError" in told
    assert "123456789" not in told


async def test_a_statement_that_is_wrong_is_a_fault_and_not_an_outage(
    database: PostgresqlDatabase,
) -> None:
    for attempt in (database.transact, database.query):
        with pytest.raises(DBAPIError, match="does not exist"):
            await attempt(lambda c: c.exec_driver_sql("SELECT * FROM missing"))
    with pytest.raises(DBAPIError):
        await database.transact(lambda c: c.execute(sa.update(T).values(n="x")))
    assert await database.query(total) == 0
