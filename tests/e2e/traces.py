"""What a system has stored, so that a test can tell that nothing was."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tests.e2e.system import System, until
from tests.parts import cassandra

_SERVICES = ("auth", "token", "analytics", "stubs")
# When a good key was last used is noted, whatever the answer was.
_PASSING = {"last_used_at"}
# Who looks after what is written every second, whether anybody calls or not.
_BREATHING = {"leases"}
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
}
_UNFINISHED = """
SELECT (SELECT count(*) FROM outbox WHERE NOT parked)
     + (SELECT count(*) FROM sagas WHERE status NOT IN ('COMPLETED', 'FAILED'))
     + (SELECT count(*) FROM reservations
        WHERE state = 'RESERVED' AND expires_us < {soon}) AS unfinished
"""
# A reservation that is to last longer is somebody's who keeps it.
_SOON_SECONDS = 600
Row = dict[str, Any]


@contextmanager
def no_trace(system: System) -> Iterator[None]:
    """Fails when anything at all was written meanwhile, in any service's store."""
    until(lambda: not _unfinished(system), 10)
    before = stored(system)
    yield
    after = stored(system)
    assert before == after


def stored(system: System) -> dict[str, list[Any]]:
    """Every row of every table; of Cassandra the ids of all events, which rollups only sum up."""
    rows: dict[str, list[Any]] = {}
    for service in _SERVICES:
        url = _store(system, service)
        scheme = urlsplit(url).scheme
        if scheme == "cassandra":
            rows[service] = sorted(cassandra.execute(url, "SELECT event_id FROM usage_ids"))
            continue
        for table in _select(url, _TABLES[scheme]):
            name = table["name"]
            if name in _BREATHING:
                continue
            found = _select(url, f'SELECT * FROM "{name}"')  # noqa: S608 our own tables
            rows[f"{service}.{name}"] = sorted(map(_lasting, found), key=repr)
    return rows


def _unfinished(system: System) -> int:
    soon = int((time.time() + _SOON_SECONDS) * 1_000_000)
    (row,) = _select(_store(system, "token"), _UNFINISHED.format(soon=soon))
    return int(row["unfinished"])


def _store(system: System, service: str) -> str:
    given = system.env.get(f"LEAKY_{service.upper()}_STORE")
    return given or f"sqlite:///{system.data / service}.db"


def _lasting(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _PASSING}


def _select(url: str, statement: str) -> list[Row]:
    if url.startswith("postgresql"):
        return asyncio.run(_ask(url, statement))
    file = f"file:{url.removeprefix('sqlite:///')}?mode=ro"
    with closing(sqlite3.connect(file, uri=True, timeout=10)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(statement)]


async def _ask(url: str, statement: str) -> list[Row]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [dict(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()
