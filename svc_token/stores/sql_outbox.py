"""Committed events on their way out, in SQL."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CompoundSelect,
    Connection,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
)

from mesh.storage.database import Database
from svc_token.domain.events import Backlog, OutboxRow, ParkedRow
from svc_token.domain.shards import ALL
from svc_token.stores.rows import outbox_from
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import OUTBOX

_SENT = tuple(OUTBOX.c[name] for name in ("seq", "event_id", "topic", "key", "payload"))
_WAITING = OUTBOX.c.parked.is_(False)
# As the index says it, for the planners to know it again.
_PARKED: ColumnElement[bool] = literal_column("parked", Boolean)
_COUNT = select(func.count()).select_from(OUTBOX)
_COUNTS = select(
    _COUNT.where(_WAITING).scalar_subquery().label("depth"),
    _COUNT.where(_PARKED).scalar_subquery().label("parked"),
)


class SqlOutbox:
    """Rows in the order of their commits; a delivered one is deleted.

    Transactions that come from one owner lock its pool, so that their rows are
    numbered in the order of their commits. Whatever is committed late is seen
    all the same, as nothing remembers up to where rows were read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = STATEMENTS[database.dialect](OUTBOX, ("seq",), ("parked", "parked_us"))
        self._events = STATEMENTS[database.dialect](OUTBOX, ("event_id",), ("parked", "parked_us"))

    async def pending(self, limit: int, *, shards: Collection[int] = ALL) -> Sequence[OutboxRow]:
        """The oldest rows of these shards whose key and topic have no parked row."""
        if not shards:
            return ()
        query = _oldest(self._database.dialect, len(shards), limit, blocked=False)
        rows = await self._database.query(lambda c: c.execute(query, _shards(shards)).all())
        return [outbox_from(row) for row in rows]

    async def delivered(self, seqs: Sequence[int]) -> None:
        """These need not be sent again."""
        gone = [{"seq": seq} for seq in seqs]
        await self._database.transact(lambda c: self._rows.delete(c, gone))

    async def park(self, seqs: Sequence[int], now_us: int) -> None:
        """Sets rows aside that no receiver takes."""
        parked = [{"seq": seq, "parked": True, "parked_us": now_us} for seq in seqs]
        await self._database.transact(lambda c: self._rows.update(c, parked))

    async def parked(self, limit: int, *, after: int = 0) -> Sequence[ParkedRow]:
        """Rows set aside, without what they tell."""
        size = func.length(OUTBOX.c.payload).label("size")
        columns = (*_SENT[:4], OUTBOX.c.parked_us, size)
        query = select(*columns).where(_PARKED, OUTBOX.c.seq > after)
        async with self._database.read() as connection:
            found = await connection.execute(query.order_by(OUTBOX.c.seq).limit(limit))
            return [ParkedRow(**row._mapping) for row in found]  # noqa: SLF001 a row's public way

    async def requeue(self, event_ids: Collection[str] | None) -> Sequence[str]:
        """Parked rows may go again, each in its old place."""

        def again(connection: Connection) -> Sequence[str]:
            query = select(OUTBOX.c.event_id).where(_PARKED)
            parked = connection.execute(query).scalars().all()
            wanted = parked if event_ids is None else sorted({*event_ids} & {*parked})
            if wanted:
                rows = [{"event_id": id_, "parked": False, "parked_us": None} for id_ in wanted]
                self._events.update(connection, rows)
            return wanted

        return await self._database.transact(again)

    async def depth(self) -> int:
        """How many rows wait."""
        return (await self.backlog()).depth

    async def backlog(self) -> Backlog:
        """What is not delivered, in figures."""
        first = _oldest(self._database.dialect, len(ALL), 1, blocked=True)
        async with self._database.read() as connection:
            row = (await connection.execute(_COUNTS)).one()
            oldest = (await connection.execute(first, _shards(ALL))).first()
        at_us = oldest.at_us if oldest else None
        return Backlog(depth=row.depth, oldest_us=at_us, parked=row.parked)


def _shards(shards: Collection[int]) -> dict[str, int]:
    return {f"shard_{n}": shard for n, shard in enumerate(shards)}


@cache
def _oldest(dialect: str, count: int, limit: int, *, blocked: bool) -> CompoundSelect[Any]:
    """The first rows of so many shards; with or without those behind a parked one.

    Each shard's rows lie in their order in the index, and are merged. SQLite
    does so by itself; PostgreSQL would sort all that wait, if not asked for
    the first of each.
    """
    stream = (OUTBOX.c.key, OUTBOX.c.topic)
    free = tuple_(*stream).not_in(select(*stream).where(_PARKED))
    wanted = select(*_SENT, OUTBOX.c.at_us).where(_WAITING, *(() if blocked else (free,)))
    each = [wanted.where(OUTBOX.c.shard == bindparam(f"shard_{n}")) for n in range(count)]
    if dialect == "postgresql":
        firsts = (rows.order_by(OUTBOX.c.seq).limit(limit).subquery() for rows in each)
        each = [rows.select() for rows in firsts]
    return union_all(*each).order_by(_SENT[0].name).limit(limit)
