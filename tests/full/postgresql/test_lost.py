"""Connections, answers and logins that are lost while the server goes on."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest
import sqlalchemy as sa
from sqlalchemy.util import await_only
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError, CommitUnknownError
from mesh.storage.asyncpg_engine import CONNECTIONS
from mesh.storage.postgresql import open_postgresql
from svc_token.domain.operations import Emit, Operation
from svc_token.domain.pool import Pool
from svc_token.domain.reservation import State
from svc_token.stores import SCHEMAS, TOKEN_STORES
from tests.full.postgresql.cutting import line_to
from tests.parts.postgresql import at, execute, fresh_database, migrated_database
from tests.parts.urls import POSTGRESQL, url
from tests.ports import free_ports
from tests.svc_token.conftest import TOPICS
from tests.svc_token.stores.test_ledger_contract import (
    ORG,
    WINDOW,
    release,
    reserve,
    settle,
    used,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
CUT = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{}'"


@pytest.fixture
async def database_url() -> AsyncIterator[str]:
    async with fresh_database() as made:
        await execute(made, "CREATE TABLE t (n integer); INSERT INTO t VALUES (0)")
        yield made


def total(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT n FROM t").scalar_one())


def slow(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SELECT pg_sleep(0.05)")


async def test_idle_connections_that_were_cut_cost_nobody_a_call(database_url: str) -> None:
    async with open_postgresql(database_url, application="cut") as database:
        for _ in range(3):
            await asyncio.gather(*(database.query(slow) for _ in range(CONNECTIONS)))
            await execute(database_url, CUT.format("cut"))
            await asyncio.gather(*(database.query(slow) for _ in range(CONNECTIONS)))


async def test_work_whose_connection_is_cut_before_its_commit_is_done_again(
    database_url: str,
) -> None:
    tries = 0

    def add(connection: sa.Connection) -> None:
        nonlocal tries
        tries += 1
        connection.exec_driver_sql("UPDATE t SET n = n + 1")
        if tries == 1:
            await_only(execute(database_url, CUT.format("cut")))

    async with open_postgresql(database_url, application="cut") as database:
        await database.transact(add)
        assert (tries, await database.query(total)) == (2, 1)


async def test_a_commit_without_an_answer_is_not_done_again_by_itself(database_url: str) -> None:
    async with line_to(database_url) as (line, far), open_postgresql(far) as database:
        line.armed = b"COMMIT;"
        with pytest.raises(CommitUnknownError) as refused:
            await database.transact(lambda c: c.exec_driver_sql("UPDATE t SET n = n + 1"))
        assert (refused.value.reason, line.cuts) == (REASON_UNAVAILABLE, 1)
        assert await database.query(total) == 1


async def test_operations_whose_answers_are_lost_count_once_when_repeated() -> None:
    server = await migrated_database("token", SCHEMAS)
    steps: list[Operation] = [
        reserve("a", 60),
        settle("a", 50),
        reserve("b", 20),
        release("b"),
        Emit(event=used("alone", 1)),
    ]
    async with (
        line_to(server) as (line, far),
        TOKEN_STORES.open(far, topics=TOPICS) as stores,
    ):
        await stores.pools.create(Pool(key=ORG, window=WINDOW.id, allowance=100))
        for number, step in enumerate(steps, 1):
            line.armed = b"COMMIT;"
            with pytest.raises(AppError):
                await stores.ledger.submit(step)
            assert line.cuts == number
            again = await stores.ledger.submit(step)
            assert again is None or again.state is not State.EXPIRED
        pool = await stores.pools.find(ORG)
        assert pool is not None
        assert pool.remaining == 50
        told = [row.event_id for row in await stores.outbox.pending(10)]
        assert told == ["e-a", "alone"]


async def away(database_url: str) -> str:
    """What is logged of a server that cannot be reached, and nothing else is told."""
    with capture_logs() as logs:
        async with open_postgresql(database_url) as database:
            for attempt in (database.transact, database.query):
                with pytest.raises(AppError) as refused:
                    await attempt(total)
                error = refused.value
                assert (error.reason, error.retry_after) == (REASON_UNAVAILABLE, 1)
                assert error.message == "the database is away"
            with pytest.raises(AppError):
                await database.ping()
    return " ".join({log["error"] for log in logs})


async def test_a_server_that_is_not_there_is_away() -> None:
    (port,) = free_ports(1)
    said = await away(f"postgresql://ada:hunter2@127.0.0.1:{port}/db")
    assert "Connect call failed" in said
    assert "hunter2" not in said


async def test_a_login_that_is_refused_is_away_and_tells_no_password(database_url: str) -> None:
    parsed = urlsplit(database_url)
    other = parsed._replace(netloc=f"{parsed.username}:hunter2@{parsed.netloc.split('@')[1]}")
    said = await away(urlunsplit(other))
    assert "password authentication failed" in said
    assert "hunter2" not in said
    assert str(parsed.password) not in said


async def test_a_database_that_is_not_there_is_away() -> None:
    assert "does not exist" in await away(at("nowhere"))


async def test_a_server_that_takes_no_more_connections_is_away(database_url: str) -> None:
    name = urlsplit(database_url).path[1:]
    await execute(at("postgres"), f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    assert "too many connections" in await away(database_url)


async def test_a_lock_that_is_not_to_be_had_is_given_up(database_url: str) -> None:
    async with (
        open_postgresql(database_url) as database,
        open_postgresql(database_url) as other,
        other.write() as holder,
    ):
        await holder.exec_driver_sql("UPDATE t SET n = 5")
        with pytest.raises(AppError) as refused:
            await database.transact(lambda c: c.exec_driver_sql("UPDATE t SET n = 6"))
        assert refused.value.reason == REASON_UNAVAILABLE
        assert await database.query(total) == 0
    async with open_postgresql(database_url) as database:
        assert await database.query(total) == 5
