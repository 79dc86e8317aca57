"""Committed events on their way out, in SQL."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from operator import attrgetter
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, bindparam, func, select, union_all

from mesh.storage.database import Database
from svc_token.domain.events import Backlog, OutboxRow, ParkedRow
from svc_token.domain.shards import ALL, shard_of
from svc_token.stores.rows import outbox_from
from svc_token.stores.sql_outbox_streams import (
    PARKED,
    Stream,
    closed,
    forget,
    keep,
    kept,
    marked,
)
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import OUTBOX

_SENT_NAMES = ("seq", "event_id", "topic", "key", "payload", "traceparent")
_SENT = tuple(OUTBOX.c[name] for name in _SENT_NAMES)
_WAITING = OUTBOX.c.parked.is_(False)
_COUNT = select(func.count()).select_from(OUTBOX)
_COUNTS = select(
    _COUNT.where(_WAITING).scalar_subquery().label("depth"),
    _COUNT.where(PARKED).scalar_subquery().label("parked"),
)


class SqlOutbox:
    """Rows in the order of their commits; a delivered one is deleted.

    Transactions that come from one owner lock its pool, so that their rows are
    numbered in the order of their commits. Whatever is committed late is seen
    all the same, as nothing remembers up to where rows were read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        made = STATEMENTS[database.dialect]
        self._rows = made(OUTBOX, ("seq",), ("parked", "parked_us"))
        self._marks = made(OUTBOX, ("seq",), ("behind",))
        self._events = made(OUTBOX, ("event_id",), ("parked", "parked_us"))

    async def pending(self, limit: int, *, shards: Collection[int] = ALL) -> Sequence[OutboxRow]:
        """The oldest rows of these shards whose key and topic have no parked row.

        What waits for one is marked on the way, a few thousand rows in a step at most.
        """
        while shards and limit > 0:
            seen = await self._database.query(partial(_look, limit, shards))
            if seen.emptied:
                # First, for their other rows are free then.
                await self._database.transact(partial(forget, streams=seen.emptied))
                continue
            if seen.stuck:
                await self._database.transact(partial(self._mark, seen.stuck))
            if not seen.again:
                return [outbox_from(row) for row in seen.rows]
        return ()

    def _mark(self, rows: Sequence[Row[Any]], connection: Connection) -> None:
        keep(connection, map(_stream, rows))
        self._marks.update(connection, [{"seq": row.seq, "behind": True} for row in rows])

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
        query = select(*columns).where(PARKED, OUTBOX.c.seq > after)
        async with self._database.read() as connection:
            found = await connection.execute(query.order_by(OUTBOX.c.seq).limit(limit))
            return [ParkedRow(**row._mapping) for row in found]  # noqa: SLF001 a row's public way

    async def requeue(self, event_ids: Collection[str] | None) -> Sequence[str]:
        """Parked rows may go again, each in its old place."""

        def again(connection: Connection) -> Sequence[str]:
            query = select(OUTBOX.c.event_id).where(PARKED)
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
        first = _oldest(self._database.dialect, len(ALL), 1, behind=(False, True))
        async with self._database.read() as connection:
            row = (await connection.execute(_COUNTS)).one()
            oldest = (await connection.execute(first, _shards(ALL))).first()
        at_us = oldest.at_us if oldest else None
        return Backlog(depth=row.depth, oldest_us=at_us, parked=row.parked)


def _shards(shards: Collection[int]) -> dict[str, int]:
    return {f"shard_{n}": shard for n, shard in enumerate(shards)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What may go; what waits for a parked row unmarked; streams without marked rows by now.

    `again` is whether a look after these are marked would find more that may go.
    """

    rows: Sequence[Row[Any]]
    stuck: Sequence[Row[Any]]
    emptied: Sequence[Stream]
    again: bool


def _look(limit: int, shards: Collection[int], connection: Connection) -> _Seen:
    shut, known = closed(connection), kept(connection)
    opened = sorted(one for one in known - shut if shard_of(one[0]) in shards)
    first = marked(connection, opened, limit)
    query = _oldest(connection.dialect.name, len(shards), limit, behind=(False,))
    oldest = connection.execute(query, _shards(shards)).all()
    held = shut | known
    free = [row for row in oldest if _stream(row) not in held]
    stuck = [row for row in oldest if _stream(row) in held]
    # A marked row goes once no older one of its stream is unmarked: here, or beyond what was read.
    unmarked = {_stream(row): row.seq for row in reversed(stuck)}
    end = oldest[-1].seq if len(oldest) == limit else inf
    going = [
        row
        for stream, there in first.items()
        for row in there
        if row.seq < min(end, unmarked.get(stream, inf))
    ]
    rows = sorted((*free, *going), key=attrgetter("seq"))[:limit]
    next_to_marked = len(rows) < limit and any(_stream(row) in first for row in stuck)
    return _Seen(
        rows=rows,
        stuck=stuck,
        emptied=[stream for stream, there in first.items() if not there],
        again=next_to_marked or (not rows and len(oldest) == limit),
    )


def _stream(row: Any) -> Stream:
    return row.key, row.topic


@cache
def _oldest(
    dialect: str, count: int, limit: int, *, behind: tuple[bool, ...]
) -> CompoundSelect[Any]:
    """The first rows of so many shards, of those that are marked as `behind` or not.

    Each shard's rows lie in their order in the index, and are merged. SQLite
    does so by itself; PostgreSQL would sort all that wait, if not asked for
    the first of each.
    """
    wanted = select(*_SENT, OUTBOX.c.at_us).where(_WAITING)
    each = [
        wanted.where(OUTBOX.c.behind.is_(flag), OUTBOX.c.shard == bindparam(f"shard_{n}"))
        for flag in behind
        for n in range(count)
    ]
    if dialect == "postgresql":
        firsts = (rows.order_by(OUTBOX.c.seq).limit(limit).subquery() for rows in each)
        each = [rows.select() for rows in firsts]
    return union_all(*each).order_by(_SENT[0].name).limit(limit)
