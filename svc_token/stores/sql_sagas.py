"""Purchases in SQL; each step commits with its events, on the version that it read."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.storage.database import Database
from svc_token.domain.events import PurchaseEvent
from svc_token.domain.pool import Pool
from svc_token.domain.saga import STARTED_EVENT, Move, Saga, Step
from svc_token.domain.window import Window
from svc_token.stores.rows import event_row, pool_from, pool_row, saga_from, saga_row
from svc_token.stores.sql_pools import is_pool
from svc_token.stores.tables import OUTBOX, POOLS, SAGAS
from svc_token.stores.topics import Topics


class SqlSagas:
    """Sagas, their events and, in one transaction with both, the tokens bought."""

    def __init__(self, database: Database, topics: Topics) -> None:
        self._database = database
        self._topics = topics

    async def start(self, saga: Saga, event_id: str) -> Saga:
        """The saga, or the one that this scope's idempotency key began earlier."""
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(SAGAS), saga_row(saga))
                await self._tell(connection, saga, [(STARTED_EVENT, event_id)], saga.created_us)
        except IntegrityError:
            earlier = await self._by_key(saga)
            if earlier is None:
                raise
            return earlier
        return saga

    async def _by_key(self, saga: Saga) -> Saga | None:
        query = select(SAGAS).where(
            SAGAS.c.scope == saga.scope, SAGAS.c.idempotency_key == saga.idempotency_key
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return saga_from(row) if row else None

    async def find(self, saga_id: str) -> Saga | None:
        """A saga by its id."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(SAGAS).where(SAGAS.c.id == saga_id))).first()
        return saga_from(row) if row else None

    async def unfinished(self, limit: int, *, after: Saga | None = None) -> Sequence[Saga]:
        """Sagas that have a next step, longest untouched first; from `after` on, exclusive."""
        query = (
            select(SAGAS)
            .where(SAGAS.c.step != Step.NONE.value)
            .order_by(SAGAS.c.updated_us, SAGAS.c.id)
            .limit(limit)
        )
        if after is not None:
            touched = tuple_(SAGAS.c.updated_us, SAGAS.c.id)
            query = query.where(touched > (after.updated_us, after.id))
        async with self._database.read() as connection:
            return [saga_from(row) for row in await connection.execute(query)]

    async def move(self, saga: Saga, move: Move, event_ids: Sequence[str], now_us: int) -> bool:
        """Ends a step; False when the saga has moved since it was read."""
        async with self._database.write() as connection:
            return await self._move(connection, saga, move, event_ids, now_us)

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
        async with self._database.write() as connection:
            if not await self._move(connection, saga, move, event_ids, now_us):
                return False
            query = select(POOLS).where(is_pool(saga.pool)).with_for_update()
            row = (await connection.execute(query)).first()
            pool = (
                pool_from(row)
                if row
                else Pool(key=saga.pool, window=window.id, allowance=allowance)
            )
            pool = replace(pool.renewed(window).bought(saga.tokens), updated_us=now_us)
            write = update(POOLS).where(is_pool(saga.pool)) if row else insert(POOLS)
            await connection.execute(write.values(pool_row(pool)))
            return True

    async def _move(
        self,
        connection: AsyncConnection,
        saga: Saga,
        move: Move,
        event_ids: Sequence[str],
        now_us: int,
    ) -> bool:
        moved = saga.moved(move, now_us)
        fenced = update(SAGAS).where(SAGAS.c.id == saga.id, SAGAS.c.version == saga.version)
        result = await connection.execute(fenced.values(saga_row(moved)))
        if result.rowcount == 0:
            return False
        events = list(zip(move.events, event_ids, strict=True))
        await self._tell(connection, saga, events, now_us)
        return True

    async def _tell(
        self,
        connection: AsyncConnection,
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
            await connection.execute(insert(OUTBOX), rows)
