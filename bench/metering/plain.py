"""A reserve as a plain transaction: a statement for each row, on asyncpg itself."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import Table

from svc_token.domain.book import Book
from svc_token.domain.operations import Reserve
from svc_token.domain.pool import Pool
from svc_token.stores.rows import entry_row, pool_row, reservation_row
from svc_token.stores.tables import LEDGER, POOLS, RESERVATIONS

_KEY = ("owner", "provider")
Reserving = Callable[[Reserve], Awaitable[float]]


@asynccontextmanager
async def plain(url: str, pool: Pool) -> AsyncIterator[Reserving]:
    """Does a reserve in this pool, which nobody else touches; says how many seconds it took."""
    connection = await asyncpg.connect(url, server_settings={"jit": "off"})
    changing = [column.name for column in POOLS.c if column.name not in _KEY]
    update = f"UPDATE pools SET {_assigned(changing)} WHERE owner = $1 AND provider = $2"  # noqa: S608
    insert, note = _insert(RESERVATIONS), _insert(LEDGER)
    book = Book(pools={pool.key: pool})

    async def reserve(operation: Reserve) -> float:
        # What the rows become is worked out beforehand: the statements alone are timed.
        book.apply(operation)
        after, entry = pool_row(book.pools[operation.pool]), entry_row(book.entries[-1])
        held = reservation_row(book.reservations[(operation.pool.owner, operation.id)])
        key = [after[name] for name in _KEY]
        start = time.perf_counter()
        async with connection.transaction():
            await connection.fetch(
                "SELECT * FROM pools WHERE owner = $1 AND provider = $2 FOR UPDATE", *key
            )
            await connection.fetch(
                "SELECT * FROM reservations WHERE owner = $1 AND id = $2", key[0], operation.id
            )
            await connection.execute(update, *key, *_values(after, changing))
            await connection.execute(insert, *_values(held, _names(RESERVATIONS)))
            await connection.execute(note, *_values(entry, _names(LEDGER)))
        return time.perf_counter() - start

    try:
        yield reserve
    finally:
        await connection.close()


def _names(table: Table) -> list[str]:
    return [column.name for column in table.c]


def _values(row: dict[str, Any], names: Sequence[str]) -> list[Any]:
    return [row[name] for name in names]


def _quoted(name: str) -> str:
    return f'"{name}"'


def _assigned(names: Sequence[str]) -> str:
    return ", ".join(f"{_quoted(name)} = ${number}" for number, name in enumerate(names, 3))


def _insert(table: Table) -> str:
    names = _names(table)
    places = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    return f"INSERT INTO {table.name} ({', '.join(map(_quoted, names))}) VALUES ({places})"  # noqa: S608
