"""The events of the large report, read as svc_analytics reads them."""

import asyncio
import sqlite3
import time
from pathlib import Path

from bench import events
from bench.callers import PROVIDER, TOKENS
from svc_analytics.domain.totals import Summary
from svc_analytics.domain.window import Window
from svc_analytics.stores.sql import EVENTS, open_store

COUNT = 25_000


async def month(data: Path) -> Summary:
    now = Window.until(time.time_ns() // 1000, minutes=43_200)
    async with open_store(f"sqlite:///{data}/analytics.db") as store:
        return await store.summary(PROVIDER, now, top=5)


def test_a_report_sums_up_what_was_written(tmp_path: Path) -> None:
    events.write(tmp_path / "data", COUNT)
    summary = asyncio.run(month(tmp_path / "data"))
    assert summary.totals.events == COUNT
    assert summary.totals.denied == 3_000
    assert summary.totals.tokens == TOKENS * (COUNT - 3_000)
    assert summary.unique_users == 1_000
    assert [user.events for user in summary.top_users] == [25] * 5


def test_the_indexes_are_those_of_the_service(tmp_path: Path) -> None:
    events.write(tmp_path, 10)
    with sqlite3.connect(tmp_path / "analytics.db") as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        names = {name for (name,) in rows}
    connection.close()
    assert {index.name for index in EVENTS.indexes} <= names
