"""What is particular to the SQL store: its schema, its durability and its indexes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.storage.database import Database, open_sqlite
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.stores.sql import METADATA, SqlUsageStore, open_store

pytestmark = pytest.mark.anyio
WINDOW = Window(start_us=0, end_us=100)


def difference(connection: sa.Connection) -> list[object]:
    def ours(item: str | None, kind: str, *_: object) -> bool:
        return not (kind == "table" and item and item.startswith("alembic_version"))

    context = MigrationContext.configure(
        connection, opts={"include_name": ours, "compare_type": True}
    )
    return list(compare_metadata(context, METADATA))


async def test_migrations_make_exactly_the_tables_that_the_store_uses(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    async with open_store(url):
        pass
    async with open_sqlite(url) as database, database.read() as connection:
        assert await connection.run_sync(difference) == []


async def test_events_are_there_when_the_file_is_opened_again(
    tmp_path: Path, make_event: Callable[..., UsageEvent]
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    event = make_event()
    async with open_store(url) as store:
        assert await store.append([event]) == 1
    async with open_store(url) as store:
        assert await store.append([event]) == 0
        assert list(await store.newest("openai", limit=5)) == [event]


async def test_a_batch_that_fails_keeps_nothing(
    tmp_path: Path, make_event: Callable[..., UsageEvent]
) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'a.db'}") as store:
        with pytest.raises(OverflowError):
            await store.append([make_event(), make_event(tokens=2**64)])
        assert list(await store.newest("openai", limit=5)) == []


async def test_a_database_that_is_away_is_unavailable(
    tmp_path: Path, make_event: Callable[..., UsageEvent]
) -> None:
    async with open_sqlite(f"sqlite:///{tmp_path}") as database:
        store = SqlUsageStore(database)
        with pytest.raises(AppError) as refused:
            await store.append([make_event()])
        assert refused.value.reason == REASON_UNAVAILABLE


USER = "00000000-0000-4000-8000-00000000000a"
INDEXES = {
    None: ["usage_by_provider", "usage_by_provider", "usage_by_time"],
    USER: ["usage_by_user", "usage_by_user", "usage_by_user"],
}


@pytest.mark.parametrize("user", INDEXES)
async def test_every_sum_searches_one_covering_index(tmp_path: Path, user: str | None) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'a.db'}"):
        pass
    async with open_sqlite(f"sqlite:///{tmp_path / 'a.db'}") as database:
        sent: list[tuple[str, Any]] = []

        def remember(_: object, __: object, statement: str, values: Any, *___: object) -> None:
            sent.append((statement, values))

        sa.event.listen(database.engine.sync_engine, "before_cursor_execute", remember)
        store = SqlUsageStore(database)
        await store.summary("openai", WINDOW, user=user, top=5)
        await store.by_bucket("openai", Buckets(window=WINDOW, width_us=10), user=user)
        await store.by_provider(WINDOW, user=user)
        sums = [pair for pair in sent if pair[0].startswith("SELECT")]
        plans = [await plan(database, statement, values) for statement, values in sums]
    expected = [f"SEARCH usage_events USING COVERING INDEX {name} " for name in INDEXES[user]]
    assert [step.partition("(")[0] for step in plans] == expected


async def plan(database: Database, statement: str, values: Any) -> str:
    async with database.read() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        (step,) = [str(row.detail) for row in rows if "usage_events" in row.detail]
        return step
