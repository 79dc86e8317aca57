"""Purchases in SQL; each step commits with its events, on the version that it read."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection

from mesh.storage.database import Database
from svc_token.domain.events import PurchaseEvent
from svc_token.domain.operations import Buy
from svc_token.domain.saga import STARTED_EVENT, Move, Saga, Step, Unfinished
from svc_token.domain.window import Window
from svc_token.stores import saga_statements as statements
from svc_token.stores.rows import event_row, saga_from, saga_row
from svc_token.stores.sql_book import SqlBook
from svc_token.stores.topics import Topics

T = TypeVar("T")
# Of the few connections there are, the holds on tokens need most.
STEPS_AT_ONCE = 4


class SqlSagas:
    """Sagas, their events and, in one transaction with both, the tokens bought.

    A saga is its holder's to advance while the lease lasts. Should two believe
    that it is theirs, a step is who writes it first; the other learns that it has moved.
    """

    def __init__(self, database: Database, books: SqlBook, topics: Topics) -> None:
        self._database = database
        self._books = books
        self._topics = topics
        self._steps = asyncio.Semaphore(STEPS_AT_ONCE)

    async def start(self, saga: Saga, event_id: str) -> Saga:
        """The saga, or the one that this scope's idempotency key began earlier."""
        events = [(STARTED_EVENT, event_id)]

        def begin(connection: Connection) -> Saga:
            earlier = _earlier(connection, saga)
            if earlier is not None:
                return earlier
            connection.execute(statements.BEGIN, saga_row(saga))
            self._tell(connection, saga, events, saga.created_us)
            return saga

        return await self._database.transact(begin)

    async def find(self, saga_id: str) -> Saga | None:
        """A saga by its id."""
        async with self._database.read() as connection:
            row = (await connection.execute(statements.FIND, {"its_id": saga_id})).first()
        return saga_from(row) if row else None

    async def unfinished(self, limit: int, *, after: Saga | None = None) -> Sequence[Saga]:
        """Sagas that have a next step, longest untouched first; from `after` on, exclusive."""
        async with self._database.read() as connection:
            found = await connection.execute(*statements.open_sagas(limit, after))
            return [saga_from(row) for row in found]

    async def claim(
        self, holder: str, limit: int, *, now_us: int, until_us: int, after: Saga | None = None
    ) -> Sequence[Saga]:
        """As `unfinished`, those that nobody holds or that are the holder's; now it holds them."""
        due = statements.free_sagas(holder, limit, now_us=now_us, after=after)
        lease = {"holder": holder, "lease_until_us": until_us}

        def take(connection: Connection) -> Sequence[Saga]:
            sagas = [saga_from(row).claimed(holder, until_us) for row in connection.execute(*due)]
            if sagas:
                mine = {"its_ids": [saga.id for saga in sagas]}
                connection.execute(statements.TAKE, {**mine, **lease})
            return sagas

        return await self._database.transact(take)

    async def renew(self, saga: Saga, until_us: int) -> Saga | None:
        """The saga with a longer lease; None when it has moved, or is somebody else's."""
        longer = {**_version(saga), "lease_until_us": until_us}
        renewed = await self._step(lambda c: c.execute(statements.RENEW, longer).rowcount)
        return replace(saga, lease_until_us=until_us) if renewed else None

    async def give_back(self, holder: str) -> None:
        """What this one holds is anybody's at once; it can end no step of it any more."""
        mine = {"its_holder": holder}
        await self._database.transact(lambda c: c.execute(statements.GIVE_BACK, mine))

    async def survey(self, before_us: int) -> Unfinished:
        """What has not ended; stale is what nobody has moved since `before_us`."""
        async with self._database.read() as connection:
            surveyed = await connection.execute(statements.SURVEY, {"before_us": before_us})
            rows = surveyed.all()
        return Unfinished(
            steps={Step(row.step): row.sagas for row in rows},
            stale=sum(row.stale for row in rows),
            lease_ends_us=min((row.lease_ends_us for row in rows), default=None),
        )

    async def move(self, saga: Saga, move: Move, event_ids: Sequence[str], now_us: int) -> bool:
        """Ends a step; False when the saga has moved since it was read, or somebody moves it."""
        return await self._step(
            lambda connection: self._move(connection, saga, move, event_ids, now_us)
        )

    async def allocate(
        self,
        saga: Saga,
        move: Move,
        event_ids: Sequence[str],
        *,
        allowance: int,
        window: Window,
        now_us: int,
    ) -> bool:
        """As `move`, and the tokens are in the pool, which is made when missing."""
        buy = Buy(
            id=saga.id,
            pool=saga.pool,
            user_id=saga.user_id,
            tokens=saga.tokens,
            allowance=allowance,
            window=window,
            now_us=now_us,
        )

        def work(connection: Connection) -> bool:
            if not self._move(connection, saga, move, event_ids, now_us):
                return False
            self._books.do(connection, buy)
            return True

        return await self._step(work)

    async def _step(self, work: Callable[[Connection], T]) -> T:
        async with self._steps:
            return await self._database.transact(work)

    def _move(
        self,
        connection: Connection,
        saga: Saga,
        move: Move,
        event_ids: Sequence[str],
        now_us: int,
    ) -> bool:
        moved = {**saga_row(saga.moved(move, now_us)), **_version(saga)}
        if connection.execute(statements.MOVE, moved).rowcount == 0:
            return False
        events = list(zip(move.events, event_ids, strict=True))
        self._tell(connection, saga, events, now_us)
        return True

    def _tell(
        self,
        connection: Connection,
        saga: Saga,
        events: Sequence[tuple[str, str]],
        at_us: int,
    ) -> None:
        rows = [
            event_row(
                PurchaseEvent(
                    event_id=event_id,
                    type=type_,
                    saga_id=saga.id,
                    user_id=saga.user_id,
                    org_id=saga.org_id,
                    provider=saga.provider,
                    tokens=saga.tokens,
                    at_us=at_us,
                ),
                self._topics,
            )
            for type_, event_id in events
        ]
        if rows:
            connection.execute(statements.TELL, rows)


def _version(saga: Saga) -> dict[str, Any]:
    return {"its_id": saga.id, "its_version": saga.version}


def _earlier(connection: Connection, saga: Saga) -> Saga | None:
    """The saga of this key, or this very one: its answer may have been lost."""
    same = {
        "its_id": saga.id,
        "its_scope": saga.scope,
        "its_idempotency_key": saga.idempotency_key,
    }
    row = connection.execute(statements.EARLIER, same).first()
    return saga_from(row) if row else None
