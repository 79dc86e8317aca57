"""Purchases in SQL; each step commits with its events, on the version that it read."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, and_, func, insert, or_, select, tuple_, update

from mesh.storage.database import Database
from svc_token.domain.events import PurchaseEvent
from svc_token.domain.operations import Buy
from svc_token.domain.saga import STARTED_EVENT, Move, Saga, Step, Unfinished
from svc_token.domain.window import Window
from svc_token.stores.rows import event_row, saga_from, saga_row
from svc_token.stores.sql_book import SqlBook
from svc_token.stores.tables import OUTBOX, SAGAS
from svc_token.stores.topics import Topics

T = TypeVar("T")
# Of the few connections there are, the holds on tokens need most.
STEPS_AT_ONCE = 4
# Named one by one, so that an index finds the few among all that have ended.
_STEPS = [step.value for step in Step if step is not Step.NONE]


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
            connection.execute(insert(SAGAS), saga_row(saga))
            self._tell(connection, saga, events, saga.created_us)
            return saga

        return await self._database.transact(begin)

    async def find(self, saga_id: str) -> Saga | None:
        """A saga by its id."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(SAGAS).where(SAGAS.c.id == saga_id))).first()
        return saga_from(row) if row else None

    async def unfinished(self, limit: int, *, after: Saga | None = None) -> Sequence[Saga]:
        """Sagas that have a next step, longest untouched first; from `after` on, exclusive."""
        async with self._database.read() as connection:
            return [saga_from(row) for row in await connection.execute(_open(limit, after))]

    async def claim(
        self, holder: str, limit: int, *, now_us: int, until_us: int, after: Saga | None = None
    ) -> Sequence[Saga]:
        """As `unfinished`, those that nobody holds or that are the holder's; now it holds them."""
        free = or_(SAGAS.c.lease_until_us <= now_us, SAGAS.c.holder == holder)
        due = _open(limit, after).where(free).with_for_update(skip_locked=True)

        def take(connection: Connection) -> Sequence[Saga]:
            sagas = [saga_from(row).claimed(holder, until_us) for row in connection.execute(due)]
            if sagas:
                mine = update(SAGAS).where(SAGAS.c.id.in_([saga.id for saga in sagas]))
                lease = {"holder": holder, "lease_until_us": until_us}
                connection.execute(mine.values(version=SAGAS.c.version + 1, **lease))
            return sagas

        return await self._database.transact(take)

    async def renew(self, saga: Saga, until_us: int) -> Saga | None:
        """The saga with a longer lease; None when it has moved, or is somebody else's."""
        same = and_(SAGAS.c.id == saga.id, SAGAS.c.version == saga.version)
        longer = update(SAGAS).where(same).values(lease_until_us=until_us)
        renewed = await self._step(lambda connection: connection.execute(longer).rowcount)
        return replace(saga, lease_until_us=until_us) if renewed else None

    async def survey(self, before_us: int) -> Unfinished:
        """What has not ended; stale is what nobody has moved since `before_us`."""
        query = (
            select(
                SAGAS.c.step,
                func.count().label("sagas"),
                func.count().filter(SAGAS.c.updated_us < before_us).label("stale"),
                func.min(SAGAS.c.lease_until_us).label("lease_ends_us"),
            )
            .where(SAGAS.c.step.in_(_STEPS))
            .group_by(SAGAS.c.step)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
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
        # Who finds the row locked leaves it to the runner that is moving it.
        free = (
            select(SAGAS.c.id)
            .where(SAGAS.c.id == saga.id, SAGAS.c.version == saga.version)
            .with_for_update(skip_locked=True)
        )
        step = update(SAGAS).where(SAGAS.c.id == free.scalar_subquery())
        if connection.execute(step.values(saga_row(saga.moved(move, now_us)))).rowcount == 0:
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
            connection.execute(insert(OUTBOX), rows)


def _open(limit: int, after: Saga | None) -> Select[Any]:
    query = select(SAGAS).where(SAGAS.c.step.in_(_STEPS))
    if after is not None:
        touched = tuple_(SAGAS.c.updated_us, SAGAS.c.id)
        query = query.where(touched > (after.updated_us, after.id))
    return query.order_by(SAGAS.c.updated_us, SAGAS.c.id).limit(limit)


def _earlier(connection: Connection, saga: Saga) -> Saga | None:
    """The saga of this key, or this very one: its answer may have been lost."""
    same = SAGAS.c.id == saga.id
    if saga.idempotency_key is not None:
        key = and_(SAGAS.c.scope == saga.scope, SAGAS.c.idempotency_key == saga.idempotency_key)
        same = or_(same, key)
    row = connection.execute(select(SAGAS).where(same)).first()
    return saga_from(row) if row else None
