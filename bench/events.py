"""Usage events in any number, written past the service into its SQLite file."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from sqlalchemy import create_engine, insert
from sqlalchemy.schema import CreateIndex, DropIndex

from bench.callers import PROVIDER, TOKENS
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.stores.sql import EVENTS, open_schema

# Within what a report can ask for, 30 days, with time to run.
_SPAN_US = 29 * 86_400 * 1_000_000
_USERS = 1_000
# Rows in one statement.
_BATCH = 10_000
_COLUMNS = tuple(EVENTS.c.keys())


def write(data: Path, count: int) -> None:
    """So many events of the last 29 days and 1,000 users; the service may not be running."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / "analytics.db"
    asyncio.run(_migrated(f"sqlite:///{path}"))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        # To sort once is several times as fast as to keep in order.
        for index in EVENTS.indexes:
            connection.execute(str(DropIndex(index)))
        _insert(connection, count)
        for index in EVENTS.indexes:
            connection.execute(str(CreateIndex(index)))
    connection.close()


def _insert(connection: sqlite3.Connection, count: int) -> None:
    statement = str(insert(EVENTS).compile(create_engine("sqlite://"), column_keys=_COLUMNS))
    now_us = time.time_ns() // 1000
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        connection.executemany(statement, _rows(numbers, count, now_us))


async def _migrated(url: str) -> None:
    async with open_schema(url) as schema:
        await schema.upgrade()


def _rows(numbers: range, count: int, now_us: int) -> Iterator[tuple[object, ...]]:
    for number in numbers:
        event = _event(number, now_us - _SPAN_US + number * _SPAN_US // count)
        yield tuple(getattr(event, name) for name in _COLUMNS)


def _event(number: int, at_us: int) -> UsageEvent:
    # One in ten of each user's was refused, which a report tells apart.
    allowed = number // _USERS % 10 != 0
    return UsageEvent(
        event_id=_id(number),
        user_id=_id(10**9 + number % _USERS),
        provider=PROVIDER,
        tokens=TOKENS,
        allowed=allowed,
        reason="" if allowed else "INSUFFICIENT_QUOTA",
        at_us=at_us,
    )


def _id(number: int) -> str:
    # In no order, as ids are, and each time the same.
    return str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128))
