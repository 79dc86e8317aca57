"""Rows by their keys, many at once, on SQLite; the store suites ask for them on every database."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Table, create_engine

from svc_token.stores.statements_sqlite import OneByOne
from svc_token.stores.tables import (
    IDEMPOTENCY_KEYS,
    LEASES,
    LEDGER,
    METADATA,
    OUTBOX,
    POOLS,
    RESERVATIONS,
)

KEYS = [
    (POOLS, ("owner", "provider")),
    (RESERVATIONS, ("owner", "id")),
    (LEDGER, ("owner", "ref")),
    (IDEMPOTENCY_KEYS, ("scope", "operation", "key")),
    (LEASES, ("name",)),
    (OUTBOX, ("seq",)),
]


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as connected:
        yield connected
    engine.dispose()


def plans(connection: Connection) -> Callable[[], list[str]]:
    """How SQLite goes about each statement from now on until it is asked."""
    driver: Any = connection.connection.driver_connection
    said: list[str] = []
    driver.set_trace_callback(said.append)

    def told() -> list[str]:
        driver.set_trace_callback(None)
        each = (text for text in said if text.startswith(("SELECT", "DELETE")))
        return [driver.execute(f"EXPLAIN QUERY PLAN {one}").fetchall()[0][-1] for one in each]

    return told


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_many_keys_are_looked_up_and_nothing_else_is_read(
    connection: Connection, table: Table, key: Sequence[str]
) -> None:
    rows = OneByOne(table, key)
    wanted = [{name: number if name == "seq" else f"{number}" for name in key} for number in (1, 2)]
    told = plans(connection)
    rows.find(connection, wanted, lock=True)
    rows.delete(connection, wanted)
    found = told()
    assert len(found) == 2
    assert all(plan.startswith(f"SEARCH {table.name} USING ") for plan in found)


NAMES = ['"', "'", "\\", "$[0]", "ü€😀", "", " ", "a,b", "[1]"]


def test_keys_are_found_whatever_is_in_them(connection: Connection) -> None:
    rows = OneByOne(LEASES, ("name",))
    made = [{"name": name, "holder": "h", "until_us": 1, "fence": 2**62} for name in NAMES]
    rows.insert(connection, made)
    found = rows.find(connection, [*made, {"name": "none"}], lock=False)
    assert {row.name for row in found} == set(NAMES)
    rows.delete(connection, made[1:])
    assert [row.name for row in rows.find(connection, made, lock=False)] == NAMES[:1]
