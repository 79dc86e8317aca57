"""A batch of operations on balances as one transaction: load, apply, write what changed."""

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from mesh.storage.database import Database
from svc_token.domain.book import Book, Operation, pools_of, reservations_of
from svc_token.domain.pool import InsufficientTokensError
from svc_token.domain.reservation import (
    Reservation,
    ReservationConflictError,
    ReservationNotFoundError,
)
from svc_token.stores.rows import event_row, pool_from, pool_row, reservation_from, reservation_row
from svc_token.stores.sql_statements import STATEMENTS, Statements
from svc_token.stores.tables import OUTBOX, POOLS, RESERVATIONS
from svc_token.stores.topics import Topics

Answer = Reservation | Exception | None

_REFUSALS = (InsufficientTokensError, ReservationConflictError, ReservationNotFoundError)
_POOL_KEY = ("owner", "provider")
_BALANCES = tuple(column.name for column in POOLS.c if column.name not in _POOL_KEY)


class SqlBatch:
    """Commits batches to POOLS, RESERVATIONS and OUTBOX.

    Pools are locked first and in the order of their keys, new rows written in
    it too: two processes' batches wait for each other, but never in a circle.
    """

    def __init__(self, database: Database, topics: Topics) -> None:
        self._database = database
        self._topics = topics
        made = STATEMENTS[database.dialect]
        self._pools = made(POOLS, _POOL_KEY, _BALANCES)
        self._reservations = made(RESERVATIONS, ("owner", "id"), ("state", "settled"))
        # An event is written once, however often it is told: its answer may have been lost.
        self._events = made(OUTBOX, ("seq",), once="event_id")

    async def commit(self, operations: Sequence[Operation]) -> Sequence[Answer]:
        """An answer for each operation; refusals are answers, and nothing of them is written."""
        try:
            return await self._database.transact(partial(self._apply, operations))
        except DBAPIError:
            if len(operations) == 1:
                raise
            # One row spoils the batch: alone, only its own operation fails.
            return [answer for op in operations for answer in await self._alone(op)]

    async def _alone(self, operation: Operation) -> Sequence[Answer]:
        try:
            return await self.commit([operation])
        except DBAPIError as error:
            return [error]

    def _apply(self, operations: Sequence[Operation], connection: Connection) -> Sequence[Answer]:
        book = self._load(connection, operations)
        known_pools, known_reservations = set(book.pools), set(book.reservations)
        answers = [_answer(book, operation) for operation in operations]
        pools = {key: pool_row(book.pools[key]) for key in book.changed_pools}
        _write(connection, self._pools, pools, known_pools)
        reservations = {
            key: reservation_row(book.reservations[key]) for key in book.changed_reservations
        }
        _write(connection, self._reservations, reservations, known_reservations)
        if book.events:
            rows = [event_row(event, self._topics) for _, event in book.events]
            self._events.insert(connection, rows)
        return answers

    def _load(self, connection: Connection, operations: Sequence[Operation]) -> Book:
        book = Book()
        pools = [
            {"owner": str(key.owner), "provider": key.provider} for key in pools_of(operations)
        ]
        if not pools:
            return book
        loaded = map(pool_from, self._pools.find(connection, pools, lock=True))
        book.pools = {pool.key: pool for pool in loaded}
        keys = [{"owner": str(owner), "id": id_} for owner, id_ in reservations_of(operations)]
        found = map(reservation_from, self._reservations.find(connection, keys, lock=False))
        book.reservations = {(one.pool.owner, one.id): one for one in found}
        return book


def _write(
    connection: Connection,
    statements: Statements,
    rows: dict[Any, dict[str, Any]],
    known: Container[object],
) -> None:
    new = [row for key, row in rows.items() if key not in known]
    old = [row for key, row in rows.items() if key in known]
    if new:
        statements.insert(connection, _in_order(new))
    if old:
        statements.update(connection, old)


def _in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["owner"], row.get("id", row["provider"])))


def _answer(book: Book, operation: Operation) -> Answer:
    try:
        return book.apply(operation)
    except _REFUSALS as refusal:
        return refusal
