"""What a system has stored, so that a test can tell that nothing was."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.e2e.system import System, until

_SERVICES = ("auth", "token", "analytics", "stubs")
# When a good key was last used is noted, whatever the answer was.
_PASSING = {"last_used_at"}
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_UNFINISHED = """
SELECT (SELECT count(*) FROM outbox WHERE NOT parked)
     + (SELECT count(*) FROM sagas WHERE status NOT IN ('COMPLETED', 'FAILED'))
     + (SELECT count(*) FROM reservations WHERE state = 'RESERVED')
"""


@contextmanager
def no_trace(system: System) -> Iterator[None]:
    """Fails when anything at all was written meanwhile, in any service's database."""
    until(lambda: not _unfinished(system), 10)
    before = stored(system)
    yield
    after = stored(system)
    assert before == after


def stored(system: System) -> dict[str, list[Any]]:
    """Every row of every table."""
    rows = {}
    for service in _SERVICES:
        with _reading(system, service) as database:
            for (table,) in database.execute(_TABLES).fetchall():
                rows[f"{service}.{table}"] = _rows(database, table)
    return rows


def _unfinished(system: System) -> int:
    with _reading(system, "token") as database:
        count: int = database.execute(_UNFINISHED).fetchone()[0]
    return count


def _rows(database: sqlite3.Connection, table: str) -> list[Any]:
    cursor = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 our own tables
    kept = [index for index, column in enumerate(cursor.description) if column[0] not in _PASSING]
    return sorted(([row[index] for index in kept] for row in cursor), key=repr)


def _reading(system: System, service: str) -> closing[sqlite3.Connection]:
    file = f"file:{system.data / service}.db?mode=ro"
    return closing(sqlite3.connect(file, uri=True, timeout=10))
