"""The ways in which an operation on balances becomes durable."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle

from mesh.storage.asyncpg_engine import CONNECTIONS, Patience
from mesh.storage.database import Database, open_sqlite
from mesh.storage.postgresql import open_postgresql
from svc_token.domain.operations import Operation
from svc_token.domain.reservation import Reservation
from svc_token.stores.sql_batch import SqlBatch
from svc_token.stores.sql_book import SqlBook
from svc_token.stores.topics import Topics

TOPICS = Topics(usage="token-usage", purchases="token-purchase-events")
GROUP, SINGLE = "group commit", "one transaction a call"
Submit = Callable[[Operation], Awaitable[Reservation | None]]
# Callers of one transaction a call queue for connections, and at a hot pool for its lock.
PATIENT = Patience(connect=10, connection=120, lock=120, statement=120, idle=120, answer=120)


@asynccontextmanager
async def singly(url: str, connections: int) -> AsyncIterator[Submit]:
    """The same statements by the same code, a transaction for each operation."""
    async with AsyncExitStack() as stack:
        batches = []
        for _ in range(-(-connections // CONNECTIONS)):
            database = await stack.enter_async_context(opened(url))
            batches.append(SqlBatch(database, SqlBook(database.dialect, TOPICS)))
        turns = cycle(batches)

        async def submit(operation: Operation) -> Reservation | None:
            [answer] = await next(turns).commit([operation])
            if isinstance(answer, Exception):
                raise answer
            return answer

        yield submit


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """The database behind a URL, on which anybody may wait long."""
    if url.startswith("sqlite:"):
        async with open_sqlite(url) as embedded:
            yield embedded
    else:
        async with open_postgresql(url, application="bench", patience=PATIENT) as server:
            yield server
