"""A batch of operations on balances as one transaction: load, apply, write what changed."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.storage.database import Database
from svc_token.domain.book import Book
from svc_token.domain.idempotency import ClaimLostError
from svc_token.domain.member import MemberCapExceededError
from svc_token.domain.operations import Operation
from svc_token.domain.pool import InsufficientTokensError, PoolExistsError, PoolNotFoundError
from svc_token.domain.reservation import (
    Reservation,
    ReservationConflictError,
    ReservationNotFoundError,
)
from svc_token.stores.sql_book import SqlBook

Answer = Reservation | Exception | None
_LOADING = failpoint("ledger.load.before")
_LOADED = failpoint("ledger.load.after")
_SAVING = failpoint("ledger.save.before")
_SAVED = failpoint("ledger.save.after")
_REFUSALS = (
    ClaimLostError,
    InsufficientTokensError,
    MemberCapExceededError,
    PoolExistsError,
    PoolNotFoundError,
    ReservationConflictError,
    ReservationNotFoundError,
)


class SqlBatch:
    """Commits batches."""

    def __init__(self, database: Database, books: SqlBook) -> None:
        self._database = database
        self._books = books

    async def commit(self, operations: Sequence[Operation]) -> Sequence[Answer]:
        """An answer for each operation; refusals are answers, and nothing of them is written."""
        try:
            return await self._database.transact(partial(self._apply, operations))
        except AppError:
            raise
        except Exception:
            if len(operations) == 1:
                raise
            # One row spoils the batch: alone, only its own operation fails.
            return [answer for op in operations for answer in await self._alone(op)]

    async def _alone(self, operation: Operation) -> Sequence[Answer]:
        try:
            return await self.commit([operation])
        except AppError:
            raise
        except Exception as error:  # noqa: BLE001 its own caller is told
            return [error]

    def _apply(self, operations: Sequence[Operation], connection: Connection) -> Sequence[Answer]:
        _LOADING()
        loaded = self._books.load(connection, operations)
        _LOADED()
        answers = [_answer(loaded.book, operation) for operation in operations]
        _SAVING()
        self._books.save(connection, loaded)
        _SAVED()
        return answers


def _answer(book: Book, operation: Operation) -> Answer:
    try:
        return book.apply(operation)
    except _REFUSALS as refusal:
        return refusal
