"""What a system has stored, so that a test can tell that nothing was."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.e2e.system import System, until

_SERVICES = ("auth", "token", "analytics", "stubs")
# When a good key was last used is noted, whatever the answer was.
_PASSING = {"last_used_at"}
_UNFINISHED = """
SELECT (SELECT count(*) FROM outbox WHERE NOT parked)
     + (SELECT count(*) FROM sagas WHERE status NOT IN ('COMPLETED', 'FAILED'))
     + (SELECT count(*) FROM reservations WHERE state = 'HELD')
"""


@contextmanager
def no_trace(system: System) -> Iterator[None]:
    """Fails when anything at all was written meanwhile, in any service's database."""
    until(lambda: not _query(system, "token", _UNFINISHED)[0][0], 10)
    before = stored(system)
    yield
    after = stored(system)
    assert before == after


def stored(system: System) -> dict[str, list[Any]]:
    """Every row of every table."""
    return {
        f"{service}.{table}": _rows(system, service, table)
        for service in _SERVICES
        for (table,) in _query(system, service, "SELECT name FROM sqlite_master WHERE type='table'")
    }


def _rows(system: System, service: str, table: str) -> list[Any]:
    columns = [row[1] for row in _query(system, service, f"PRAGMA table_info('{table}')")]
    names = ", ".join(f'"{name}"' for name in columns if name not in _PASSING)
    return sorted(_query(system, service, f'SELECT {names} FROM "{table}"'), key=repr)  # noqa: S608 our own tables


def _query(system: System, service: str, sql: str) -> list[Any]:
    file = f"file:{system.data / service}.db?mode=ro"
    with closing(sqlite3.connect(file, uri=True, timeout=10)) as connection:
        return connection.execute(sql).fetchall()
