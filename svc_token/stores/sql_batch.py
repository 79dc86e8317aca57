"""A batch of operations on balances as one transaction: load, apply, write what changed."""

from collections.abc import Container, Sequence
from functools import partial

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from mesh.storage.database import Database
from svc_token.domain.book import Book, Operation, pools_of, reservations_of
from svc_token.domain.pool import InsufficientTokensError
from svc_token.domain.reservation import (
    Reservation,
    ReservationConflictError,
    ReservationNotFoundError,
)
from svc_token.stores.rows import event_row, pool_from, pool_row, reservation_from, reservation_row
from svc_token.stores.sql_pools import SELECT_POOLS
from svc_token.stores.tables import OUTBOX, POOLS, RESERVATIONS
from svc_token.stores.topics import Topics

Answer = Reservation | Exception | None

_REFUSALS = (InsufficientTokensError, ReservationConflictError, ReservationNotFoundError)
# Locked in key order, so that two batches can never wait for each other.
_LOCK_POOLS = SELECT_POOLS.order_by(POOLS.c.owner, POOLS.c.provider).with_for_update()
_SELECT_RESERVATIONS = select(RESERVATIONS).where(
    tuple_(RESERVATIONS.c.owner, RESERVATIONS.c.id).in_(bindparam("keys", expanding=True))
)
_INSERT_POOL = insert(POOLS)
_INSERT_RESERVATION = insert(RESERVATIONS)
_INSERT_EVENT = insert(OUTBOX)
_UPDATE_POOL = (
    update(POOLS)
    .where(POOLS.c.owner == bindparam("b_owner"), POOLS.c.provider == bindparam("b_provider"))
    .values({c.name: bindparam(c.name) for c in POOLS.c if c.name not in {"owner", "provider"}})
)
_UPDATE_RESERVATION = (
    update(RESERVATIONS)
    .where(RESERVATIONS.c.owner == bindparam("b_owner"), RESERVATIONS.c.id == bindparam("b_id"))
    .values(state=bindparam("state"), settled=bindparam("settled"))
)


class SqlBatch:
    """Commits batches to POOLS, RESERVATIONS and OUTBOX."""

    def __init__(self, database: Database, topics: Topics) -> None:
        self._database = database
        self._topics = topics

    async def commit(self, operations: Sequence[Operation]) -> Sequence[Answer]:
        """An answer for each operation; refusals are answers, and nothing of them is written."""
        try:
            return await self._database.transact(partial(self._apply, operations))
        except IntegrityError:
            if len(operations) == 1:
                raise
            # One row spoils the batch: alone, only its own operation fails.
            return [answer for op in operations for answer in await self._alone(op)]

    async def _alone(self, operation: Operation) -> Sequence[Answer]:
        try:
            return await self.commit([operation])
        except IntegrityError as error:
            return [error]

    def _apply(self, operations: Sequence[Operation], connection: Connection) -> Sequence[Answer]:
        book = _load(connection, operations)
        known_pools, known_reservations = set(book.pools), set(book.reservations)
        answers = [_answer(book, operation) for operation in operations]
        _write_pools(connection, book, known_pools)
        _write_reservations(connection, book, known_reservations)
        if book.events:
            rows = [event_row(event, self._topics) for _, event in book.events]
            connection.execute(_INSERT_EVENT, rows)
        return answers


def _load(connection: Connection, operations: Sequence[Operation]) -> Book:
    book = Book()
    pools = [(str(key.owner), key.provider) for key in pools_of(operations)]
    if pools:
        loaded = map(pool_from, connection.execute(_LOCK_POOLS, {"keys": pools}))
        book.pools = {pool.key: pool for pool in loaded}
    keys = [(str(owner), id_) for owner, id_ in reservations_of(operations)]
    if keys:
        rows = connection.execute(_SELECT_RESERVATIONS, {"keys": keys})
        found = map(reservation_from, rows)
        book.reservations = {(one.pool.owner, one.id): one for one in found}
    return book


def _write_pools(connection: Connection, book: Book, known: Container[object]) -> None:
    rows = {key: pool_row(book.pools[key]) for key in book.changed_pools}
    new = [row for key, row in rows.items() if key not in known]
    old = [
        {**row, "b_owner": row["owner"], "b_provider": row["provider"]}
        for key, row in rows.items()
        if key in known
    ]
    if new:
        connection.execute(_INSERT_POOL, new)
    if old:
        connection.execute(_UPDATE_POOL, old)


def _write_reservations(connection: Connection, book: Book, known: Container[object]) -> None:
    rows = {key: reservation_row(book.reservations[key]) for key in book.changed_reservations}
    new = [row for key, row in rows.items() if key not in known]
    old = [
        {
            "b_owner": row["owner"],
            "b_id": row["id"],
            "state": row["state"],
            "settled": row["settled"],
        }
        for key, row in rows.items()
        if key in known
    ]
    if new:
        connection.execute(_INSERT_RESERVATION, new)
    if old:
        connection.execute(_UPDATE_RESERVATION, old)


def _answer(book: Book, operation: Operation) -> Answer:
    try:
        return book.apply(operation)
    except _REFUSALS as refusal:
        return refusal
