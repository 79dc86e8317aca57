"""Pools, reservations, sagas and the outbox in one SQL database."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from mesh.storage import sql
from mesh.storage.group_commit import GroupCommit
from mesh.storage.schema import Schema
from mesh.telemetry.storage import BATCH_SIZE, WAITING
from svc_token.domain.operations import Operation
from svc_token.domain.reservation import Reservation
from svc_token.stores.sql_audit import SqlAudit
from svc_token.stores.sql_batch import SqlBatch
from svc_token.stores.sql_book import SqlBook
from svc_token.stores.sql_caps import SqlMemberCaps
from svc_token.stores.sql_idempotency import SqlIdempotencyKeys
from svc_token.stores.sql_leases import SqlLeases
from svc_token.stores.sql_outbox import SqlOutbox
from svc_token.stores.sql_pool_surveys import SqlPoolSurveys
from svc_token.stores.sql_pools import SqlPools
from svc_token.stores.sql_sagas import SqlSagas
from svc_token.stores.stores import TokenStores
from svc_token.stores.topics import Topics

MIGRATIONS = Path(__file__).parent.parent / "migrations"


class SqlLedger:
    """Operations on balances, gathered into group commits."""

    def __init__(self, writes: GroupCommit[Operation, Reservation | None]) -> None:
        self._writes = writes

    def submit(self, operation: Operation) -> Awaitable[Reservation | None]:
        """The reservation after the operation."""
        return self._writes.submit(operation)


@asynccontextmanager
async def open_stores(url: str, *, topics: Topics) -> AsyncIterator[TokenStores]:
    """The stores over `sqlite:///path` or `postgresql://...`."""
    async with sql.open_database(url, service="token", folder=MIGRATIONS) as database:
        books = SqlBook(database.dialect, topics)
        batch = SqlBatch(database, books)
        writes: GroupCommit[Operation, Reservation | None] = GroupCommit(
            batch.commit, measure=BATCH_SIZE.observe
        )
        keys = SqlIdempotencyKeys(database)
        try:
            with WAITING.reading(lambda: writes.waiting):
                yield TokenStores(
                    ledger=SqlLedger(writes),
                    pools=SqlPools(database, books),
                    surveys=SqlPoolSurveys(database),
                    caps=SqlMemberCaps(database),
                    sagas=SqlSagas(database, books, topics),
                    outbox=SqlOutbox(database),
                    leases=SqlLeases(database),
                    keys=keys,
                    audit=SqlAudit(database, topics),
                    ping=database.ping,
                )
        finally:
            await writes.close()
            await keys.close()


def open_schema(url: str) -> AbstractAsyncContextManager[Schema]:
    """The tables behind the URL, for `leaky migrate`."""
    return sql.open_schema(url, service="token", folder=MIGRATIONS)
