"""A ledger with many lines: no page reads more of it than it tells of, on either database."""

import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, event
from sqlalchemy.engine import Engine

from bench.reconcile.generated import Group, queue, write
from mesh.storage.database import Database
from mesh.storage.sql import open_database
from svc_token.domain.audit.pools import LedgerSums, PoolAudit
from svc_token.domain.owner import OwnerKind
from svc_token.stores.sql import MIGRATIONS
from svc_token.stores.sql_audit_pools import pool_audits
from svc_token.stores.tables import POOLS
from tests.svc_token.conftest import TOPICS
from tests.svc_token.usecases.reconcile.conftest import Audited
from tests.svc_token.usecases.reconcile.test_books import compared

pytestmark = pytest.mark.anyio
HOT = Group(kind=OwnerKind.ORG, pools=1, windows=4, uses=200, purchases=3, members=3)
SPREAD = Group(kind=OwnerKind.USER, pools=30, windows=2, uses=5, purchases=1)
# A whole table, in no index' order.
SCANS = re.compile(
    r"^SCAN (ledger|reservations)$|Seq Scan on (ledger|reservations)\b", re.MULTILINE
)


def opened(audited: Audited) -> AbstractAsyncContextManager[Database]:
    return open_database(audited.url, service="token", folder=MIGRATIONS)


@pytest.fixture
async def large(audited: Audited) -> Audited:
    async with opened(audited) as database:
        for group in (HOT, SPREAD):
            await database.transact(partial(write, rows=group.rows()))
        await database.transact(partial(queue, topics=TOPICS, events=20))
    await audited.plant("ANALYZE")
    return audited


@contextmanager
def heard() -> Iterator[dict[str, Any]]:
    """What is executed meanwhile, each with parameters that it had."""
    statements: dict[str, Any] = {}

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements[statement] = parameters

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


async def plan(database: Database, statement: str, parameters: Any) -> str:
    """How the database goes about it; PostgreSQL when tables are too large to be read whole."""
    explain = "EXPLAIN QUERY PLAN "
    async with database.scan() as connection:
        if database.dialect == "postgresql":
            explain = "EXPLAIN "
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = await connection.exec_driver_sql(explain + statement, parameters)
        return "\n".join(row[-1] for row in rows)


async def test_a_large_ledger_is_compared_by_its_indexes_and_shows_nothing(large: Audited) -> None:
    with heard() as statements:
        assert await compared(large) == []
    reading = {one: given for one, given in statements.items() if one.startswith("SELECT")}
    async with opened(large) as database:
        plans = {one: await plan(database, one, given) for one, given in reading.items()}
    assert [one for one, found in plans.items() if SCANS.search(found)] == []
    assert any("ledger_purchases" in found for found in plans.values())


async def audits(large: Audited, limit: int, lines: int) -> list[PoolAudit]:
    """Of all pages."""
    found: list[PoolAudit] = []
    page = partial(pool_audits, lines=lines)
    async with opened(large) as database, database.scan() as connection:
        while more := await connection.run_sync(
            lambda sync, after: page(after, limit, sync), found[-1].key if found else None
        ):
            found += more
    return found


@pytest.mark.parametrize(("limit", "lines"), [(1, 50), (7, 50), (100, 333)])
async def test_lines_come_to_the_same_however_few_are_summed_up_at_a_time(
    large: Audited, limit: int, lines: int
) -> None:
    whole = await audits(large, 1_000, 1_000_000)
    assert sum(one.sums.lines for one in whole) == HOT.lines + SPREAD.lines
    assert await audits(large, limit, lines) == whole


@pytest.mark.parametrize("lines", [3, 1_000_000])
@pytest.mark.parametrize("limit", [1, 4, 1_000])
async def test_each_pool_whose_row_is_gone_is_found_once(
    large: Audited, limit: int, lines: int
) -> None:
    keys = [one.key for one in await audits(large, 1_000, 1_000_000)]
    gone = [*keys[:2], *keys[9:12], *keys[-6:]]
    lost = delete(POOLS).where(POOLS.c.owner.in_([str(key.owner) for key in gone]))
    async with opened(large) as database:
        await database.transact(lambda connection: connection.execute(lost))
    # So that three at a time do not take long.
    await large.plant("DELETE FROM ledger WHERE seq > 9")
    found = await audits(large, limit, lines)
    assert sorted(map(str, (one.key for one in found))) == sorted(map(str, keys))
    assert {one.key for one in found if one.pool is None} == {*gone}


def test_sums_of_lines_are_put_together() -> None:
    first = LedgerSums(lines=2, first=1, last=2, allowance=5, debt=1, held=3)
    later = LedgerSums(lines=1, first=3, last=3, allowance=-5, debt=1, held=-3)
    both = LedgerSums(lines=3, first=1, last=3, debt=2)
    assert LedgerSums().plus(first) == first
    assert first.plus(later) == both
