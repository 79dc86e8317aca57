"""What a reconciliation reads: by pages, each in one snapshot, so that work beside it is no matter.

Pages follow the keys' order in the database, whatever its collation is.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    literal_column,
    select,
    tuple_,
    union,
)

from mesh.storage.database import Database
from svc_token.domain.audit.events import SettleAudit
from svc_token.domain.audit.members import CapAudit
from svc_token.domain.audit.pools import PoolAudit
from svc_token.domain.audit.purchases import PurchaseAudit
from svc_token.domain.audit.reservations import ReservationAudit
from svc_token.domain.entry import Entry, Kind
from svc_token.domain.events import OutboxRow, UsageEvent
from svc_token.domain.member import Tally
from svc_token.domain.operations import MemberKey, ReservationKey
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.saga import Saga
from svc_token.stores.rows import cap_from, entry_from, outbox_from, reservation_from, saga_from
from svc_token.stores.sql_audit_pools import pool_audits
from svc_token.stores.sql_member_lines import count
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.statements import Statements
from svc_token.stores.tables import LEDGER, MEMBER_CAPS, OUTBOX, RESERVATIONS, SAGAS
from svc_token.stores.topics import Topics

T = TypeVar("T")
Key = tuple[Any, ...]
_STORIES = (Kind.RESERVE, Kind.SETTLE, Kind.RELEASE, Kind.EXPIRE)
_OF_RESERVATIONS = LEDGER.c.kind.in_([kind.value for kind in _STORIES])
# As the index says it, for the planners to know it again.
_PURCHASED = LEDGER.c.kind == literal_column("'purchase'")


class SqlAudit:
    """Reads over all tables; nothing is written."""

    def __init__(self, database: Database, topics: Topics) -> None:
        self._database = database
        self._topics = topics

    async def pools(self, after: PoolKey | None, limit: int) -> Sequence[PoolAudit]:
        """Pools, and those that only lines speak of, with what they come to."""
        return await self._snapshot(partial(pool_audits, after, limit))

    async def reservations(
        self, after: ReservationKey | None, limit: int
    ) -> Sequence[ReservationAudit]:
        """Reservations, and those that only lines speak of, with their lines."""
        start = (str(after[0]), after[1]) if after else None
        return await self._snapshot(partial(_reservations, start, limit))

    async def purchases(self, after: str | None, limit: int) -> Sequence[PurchaseAudit]:
        """Purchases by id, with the lines that their owners have of them."""
        return await self._snapshot(partial(_purchases, after or "", limit))

    async def bought(
        self, after: tuple[Owner, str] | None, limit: int
    ) -> Sequence[tuple[Entry, Saga | None]]:
        """Purchase lines by owner and purchase, with the purchase that each names."""
        start = (str(after[0]), after[1]) if after else None
        return await self._snapshot(partial(_bought, start, limit))

    async def caps(self, after: MemberKey | None, limit: int) -> Sequence[CapAudit]:
        """Members' caps with what the ledger has of them."""
        start = (str(after[0].owner), after[0].provider, after[1]) if after else None
        return await self._snapshot(partial(_caps, start, limit))

    async def settled(self, after: tuple[PoolKey, int] | None, limit: int) -> Sequence[SettleAudit]:
        """Settle lines in the ledger's order, with what the outbox has of their events."""
        start = (str(after[0].owner), after[0].provider, after[1]) if after else None
        return await self._snapshot(partial(_settled, start, limit))

    async def outbox(self, after: int | None, limit: int) -> Sequence[OutboxRow]:
        """Usage events that are not delivered, parked or not."""
        mine = OUTBOX.c
        query = select(OUTBOX).where(mine.seq > (after or 0), mine.topic == self._topics.usage)
        page = query.order_by(mine.seq).limit(limit)
        return await self._snapshot(lambda c: [outbox_from(row) for row in c.execute(page)])

    async def queued(self, event_ids: Collection[str]) -> frozenset[str]:
        """Which of these are in the outbox now, parked or not."""
        query = select(OUTBOX.c.event_id).where(OUTBOX.c.event_id.in_(event_ids))
        return await self._snapshot(lambda c: frozenset(c.execute(query).scalars()))

    async def strangers(self, events: Sequence[UsageEvent]) -> Sequence[UsageEvent]:
        """The events that no line names, but for those from before their pool's first line."""
        return await self._snapshot(partial(_strangers, events))

    async def sagas(self, ids: Collection[str]) -> Mapping[str, Saga]:
        """Purchases as they are now, by their ids."""
        return await self._snapshot(partial(_sagas, ids))

    async def _snapshot(self, work: Callable[[Connection], T]) -> T:
        async with self._database.scan() as connection:
            return await connection.run_sync(work)


def _reservations(after: Key | None, limit: int, connection: Connection) -> list[ReservationAudit]:
    ledger = _keys(LEDGER, "owner", "ref").where(_OF_RESERVATIONS)
    keys = _page(connection, after, limit, _keys(RESERVATIONS, "owner", "id"), ledger)
    wanted = [{"owner": owner, "id": id_} for owner, id_ in keys]
    rows = _find(connection, RESERVATIONS, wanted)
    found = {(row.owner, row.id): reservation_from(row) for row in rows}
    lines = _lines_of(connection, keys, _STORIES)
    return [
        ReservationAudit(
            key=(Owner.parse(key[0]), key[1]), reservation=found.get(key), lines=lines[key]
        )
        for key in keys
    ]


def _purchases(after: str, limit: int, connection: Connection) -> list[PurchaseAudit]:
    query = select(SAGAS).where(SAGAS.c.id > after).order_by(SAGAS.c.id).limit(limit)
    sagas = [saga_from(row) for row in connection.execute(query)]
    wanted = [(str(saga.pool.owner), saga.id) for saga in sagas]
    lines = _lines_of(connection, wanted, {Kind.PURCHASE})
    openings = _openings(
        connection, {saga.pool for saga, key in zip(sagas, wanted, strict=True) if not lines[key]}
    )
    return [
        PurchaseAudit(id=saga.id, saga=saga, lines=lines[key], opening=openings.get(saga.pool))
        for saga, key in zip(sagas, wanted, strict=True)
    ]


def _bought(
    after: Key | None, limit: int, connection: Connection
) -> list[tuple[Entry, Saga | None]]:
    key = tuple_(LEDGER.c.owner, LEDGER.c.ref)
    query = select(LEDGER).where(_PURCHASED).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(key > after)
    lines = [entry_from(row) for row in connection.execute(query)]
    sagas = _sagas([line.note.ref or "" for line in lines], connection)
    return [(line, sagas.get(line.note.ref or "")) for line in lines]


def _sagas(ids: Collection[str], connection: Connection) -> dict[str, Saga]:
    rows = connection.execute(select(SAGAS).where(SAGAS.c.id.in_(ids)))
    return {row.id: saga_from(row) for row in rows}


def _caps(after: Key | None, limit: int, connection: Connection) -> list[CapAudit]:
    key = tuple_(MEMBER_CAPS.c.owner, MEMBER_CAPS.c.provider, MEMBER_CAPS.c.user_id)
    query = select(MEMBER_CAPS).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(key > after)
    caps = [cap_from(row) for row in connection.execute(query)]
    # Members of one pool and window are counted together.
    groups: dict[tuple[PoolKey, int], list[str]] = defaultdict(list)
    for cap in caps:
        groups[cap.pool, cap.window].append(cap.user_id)
    tallies = {(pool, window): Tally(window=window) for pool, window in groups}
    for (pool, window), users in groups.items():
        count(connection, tallies[pool, window], pool, users)
    return [CapAudit(cap=cap, used=tallies[cap.pool, cap.window].used(cap.user_id)) for cap in caps]


def _settled(after: Key | None, limit: int, connection: Connection) -> list[SettleAudit]:
    key = tuple_(LEDGER.c.owner, LEDGER.c.provider, LEDGER.c.seq)
    query = (
        select(LEDGER)
        .where(LEDGER.c.kind == Kind.SETTLE.value, LEDGER.c.event_id.is_not(None))
        .order_by(*key)
        .limit(limit)
    )
    if after is not None:
        query = query.where(key > after)
    lines = [entry_from(row) for row in connection.execute(query)]
    ids = [line.note.event_id for line in lines]
    waiting = select(OUTBOX.c.event_id, OUTBOX.c.payload).where(OUTBOX.c.event_id.in_(ids))
    queued = {row.event_id: row.payload for row in connection.execute(waiting)}
    return [SettleAudit(line=line, queued=queued.get(line.note.event_id)) for line in lines]


def _strangers(events: Sequence[UsageEvent], connection: Connection) -> list[UsageEvent]:
    if not events:
        return []
    pools = {event.event_id: _pool_of(event) for event in events}
    named = select(LEDGER.c.owner, LEDGER.c.event_id).where(
        LEDGER.c.owner.in_({str(pool.owner) for pool in pools.values()}),
        LEDGER.c.event_id.in_(pools),
    )
    known = {(owner, event_id) for owner, event_id in connection.execute(named)}
    left = [one for one in events if (str(pools[one.event_id].owner), one.event_id) not in known]
    openings = _openings(connection, {pools[event.event_id] for event in left})
    return [event for event in left if not _earlier(event, openings.get(pools[event.event_id]))]


def _earlier(event: UsageEvent, opening: Entry | None) -> bool:
    return opening is not None and event.at_us <= opening.note.at_us


def _pool_of(event: UsageEvent) -> PoolKey:
    return PoolKey(Owner.of(event.user_id, event.org_id), event.provider)


def _openings(connection: Connection, pools: Iterable[PoolKey]) -> Mapping[PoolKey, Entry]:
    """The first lines of these pools."""
    keys = [{"owner": str(key.owner), "provider": key.provider, "seq": 1} for key in pools]
    return {entry.pool: entry for entry in map(entry_from, _find(connection, LEDGER, keys))}


def _lines_of(
    connection: Connection, keys: Sequence[Key], kinds: Collection[Kind]
) -> Mapping[Key, Sequence[Entry]]:
    """The lines of these kinds that name these, by owner and what they name, in their order."""
    wanted = [{"owner": owner, "ref": ref} for owner, ref in keys]
    rows = sorted(_find(connection, LEDGER, wanted), key=lambda row: row.seq)
    lines = defaultdict(list)
    for row in rows:
        entry = entry_from(row)
        if entry.note.kind in kinds:
            lines[row.owner, row.ref].append(entry)
    return lines


def _find(
    connection: Connection, table: Table, keys: Sequence[Mapping[str, Any]]
) -> Sequence[Row[Any]]:
    """The rows of these keys, each looked up in an index.

    How many lie within a range of keys PostgreSQL guesses by the first column: of one big
    owner it would read everything, for each page again.
    """
    if not keys:
        return ()
    statements = _statements(connection.dialect.name, table, tuple(keys[0]))
    return statements.find(connection, keys, lock=False)


@cache
def _statements(dialect: str, table: Table, key: Sequence[str]) -> Statements:
    return STATEMENTS[dialect](table, key)


def _keys(table: Table, *columns: str) -> Select[Any]:
    return select(*(table.c[name].label(f"key_{at}") for at, name in enumerate(columns))).distinct()


def _page(
    connection: Connection, after: Key | None, limit: int, *sources: Select[Any]
) -> list[Key]:
    """The next keys of all sources together, each once."""
    pages = [_first(source, after, limit) for source in sources]
    both = union(*(select(page.subquery()) for page in pages)).subquery()
    query = select(both).order_by(*both.c).limit(limit)
    return [tuple(row) for row in connection.execute(query)]


def _first(source: Select[Any], after: Key | None, limit: int) -> Select[Any]:
    columns = list(source.selected_columns)
    if after is not None:
        source = source.where(tuple_(*(column.element for column in columns)) > after)
    return source.order_by(*columns).limit(limit)
