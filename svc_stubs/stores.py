"""The payment provider's books in an SQL database."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    MetaData,
    Row,
    String,
    Table,
    insert,
    select,
    update,
)

from mesh.failpoints import failpoint
from mesh.storage import sql
from mesh.storage.database import Database
from mesh.storage.registry import Registry
from mesh.storage.schema import Schema
from svc_stubs.domain import payment
from svc_stubs.domain.payment import Payment, State, UnknownPaymentError
from svc_stubs.ports import Books

MIGRATIONS = Path(__file__).parent / "migrations"
STORES: Registry[Books] = Registry(
    "stubs.store",
    {"sqlite": f"{__name__}:open_books", "postgresql": f"{__name__}:open_books"},
)
# What `leaky migrate` brings up to date.
SCHEMAS: Registry[Schema] = Registry(
    "stubs.store",
    {"sqlite": f"{__name__}:open_schema", "postgresql": f"{__name__}:open_schema"},
)
_STEPPING = failpoint("payment.step.before")
_KEEPING = failpoint("payment.commit.before")
_KEPT = failpoint("payment.commit.after")
PAYMENTS = Table(
    "payments",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("tokens >= 0", name="payments_tokens"),
    CheckConstraint("state IN ('AUTHORIZED', 'CAPTURED', 'VOIDED')", name="payments_state"),
)


@asynccontextmanager
async def open_books(url: str) -> AsyncIterator[Books]:
    """The books in `sqlite:///path` or `postgresql://...`."""
    async with sql.open_database(url, service="stubs", folder=MIGRATIONS) as database:
        yield SqlBooks(database)


def open_schema(url: str) -> AbstractAsyncContextManager[Schema]:
    """The tables behind the URL, for `leaky migrate`."""
    return sql.open_schema(url, service="stubs", folder=MIGRATIONS)


class SqlBooks:
    """Implements Books."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authorize(
        self, payment_id: str, tokens: int, *, now_us: int, decline: bool
    ) -> Payment:
        """Holds the money."""
        return await self._step(
            payment_id,
            partial(
                payment.authorize,
                payment_id=payment_id,
                tokens=tokens,
                now_us=now_us,
                decline=decline,
            ),
        )

    async def capture(self, payment_id: str, *, now_us: int) -> Payment:
        """Takes the money held."""
        return await self._step(payment_id, partial(payment.capture, now_us=now_us))

    async def void(self, payment_id: str, *, now_us: int) -> Payment:
        """Lets go of the money held."""
        step = partial(payment.void, payment_id=payment_id, now_us=now_us)
        return await self._step(payment_id, step)

    async def find(self, payment_id: str) -> Payment:
        """Where the payment stands."""
        found = await self._database.query(lambda connection: _find(connection, payment_id))
        if found is None:
            raise UnknownPaymentError
        return found

    async def page(self, after: str, limit: int, state: State | None) -> Sequence[Payment]:
        """Payments in the order of ids, from `after` on, exclusive; all states when None."""
        query = select(PAYMENTS).where(PAYMENTS.c.id > after).order_by(PAYMENTS.c.id).limit(limit)
        if state is not None:
            query = query.where(PAYMENTS.c.state == state.value)
        async with self._database.read() as connection:
            return [_payment(row) for row in await connection.execute(query)]

    async def ping(self) -> None:
        """Raises AppError when the books cannot be read."""
        await self._database.ping()

    async def _step(self, payment_id: str, step: Callable[[Payment | None], Payment]) -> Payment:
        def work(connection: Connection) -> Payment:
            _STEPPING()
            current = _find(connection, payment_id, lock=True)
            moved = step(current)
            if moved != current:
                _keep(connection, moved, new=current is None)
            _KEEPING()
            return moved

        kept = await self._database.transact(work)
        _KEPT()
        return kept


def _find(connection: Connection, payment_id: str, *, lock: bool = False) -> Payment | None:
    query = select(PAYMENTS).where(PAYMENTS.c.id == payment_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return _payment(row) if row else None


def _payment(row: Row[Any]) -> Payment:
    return Payment(
        id=row.id, tokens=row.tokens, state=State(row.state), updated_at_us=row.updated_at
    )


def _keep(connection: Connection, kept: Payment, *, new: bool) -> None:
    values = {"tokens": kept.tokens, "state": kept.state.value, "updated_at": kept.updated_at_us}
    if new:
        connection.execute(insert(PAYMENTS).values(id=kept.id, **values))
    else:
        connection.execute(update(PAYMENTS).where(PAYMENTS.c.id == kept.id).values(**values))
