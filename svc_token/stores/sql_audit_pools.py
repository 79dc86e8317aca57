"""What pools' lines come to: summed up so many lines at a time, all in one snapshot.

So no statement takes longer because there are more lines; a hot pool may have
nearly all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, select, tuple_

from svc_token.domain.audit.pools import BALANCES, LedgerSums, PoolAudit
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.reservation import State
from svc_token.stores.rows import pool_from
from svc_token.stores.tables import LEDGER, POOLS, RESERVATIONS

# In one statement.
LINES = 50_000
# An owner and a provider, as the tables have them.
Key = tuple[str, str]
_POOL = ("owner", "provider")
_LINE = (*_POOL, "seq")
_SUMMED = (*BALANCES, "held")


def pool_audits(
    after: PoolKey | None, limit: int, connection: Connection, *, lines: int = LINES
) -> list[PoolAudit]:
    """The next pools with what their lines come to, and before them those that only lines speak of.

    After the last pool the rest of these, so many at a time.
    """
    start = _key(after) if after else None
    pools = _pools(connection, start, limit)
    if not pools:
        lost = _sums(connection, (start, None), lines, enough=limit)
        return [_audit(key, None, lost, {}) for key in [*lost][:limit]]
    between = (start, _key(pools[-1].key))
    sums, held = _sums(connection, between, lines), _held(connection, between)
    known = {_key(pool.key): pool for pool in pools}
    # The last one is a pool, as the next page goes on from there.
    keys = [*(key for key in sums if key not in known), *known]
    return [_audit(key, known.get(key), sums, held) for key in keys]


def _audit(
    key: Key, pool: Pool | None, sums: Mapping[Key, LedgerSums], held: Mapping[Key, int]
) -> PoolAudit:
    return PoolAudit(
        key=PoolKey(Owner.parse(key[0]), key[1]),
        pool=pool,
        sums=sums.get(key, LedgerSums()),
        held=held.get(key, 0),
    )


def _key(pool: PoolKey) -> Key:
    return str(pool.owner), pool.provider


# Beyond the first key, which is none for all; up to and with the second, which is none for all.
_Range = tuple[Key | None, Key | None]


def _within(table: Table, between: _Range) -> Sequence[ColumnElement[bool]]:
    after, last = between
    key = tuple_(*(table.c[name] for name in _POOL))
    return [*([] if after is None else [key > after]), *([] if last is None else [key <= last])]


def _pools(connection: Connection, after: Key | None, limit: int) -> list[Pool]:
    query = select(POOLS).where(*_within(POOLS, (after, None)))
    rows = connection.execute(query.order_by(*(POOLS.c[name] for name in _POOL)).limit(limit))
    return [pool_from(row) for row in rows]


def _sums(
    connection: Connection, between: _Range, lines: int, *, enough: int | None = None
) -> dict[Key, LedgerSums]:
    """By pool, in the order of the keys; of `enough` pools, and one that may be cut, if not all."""
    sums: dict[Key, LedgerSums] = {}
    place: tuple[str, str, int] | None = None
    while enough is None or len(sums) <= enough:
        rows = connection.execute(_part(between, place, lines)).all()
        for row in rows:
            key = row.owner, row.provider
            sums[key] = sums.get(key, LedgerSums()).plus(_summed(row))
        if sum(row.lines for row in rows) < lines:
            break
        place = rows[-1].owner, rows[-1].provider, rows[-1].last
    return sums


def _part(between: _Range, place: tuple[str, str, int] | None, lines: int) -> Select[Any]:
    """The next lines beyond a place, summed up by pool."""
    mine = LEDGER.c
    columns = [mine[name] for name in _LINE]
    some = select(*columns, *(mine[name] for name in _SUMMED)).where(*_within(LEDGER, between))
    if place is not None:
        some = some.where(tuple_(*columns) > place)
    part = some.order_by(*columns).limit(lines).subquery()
    pool = [part.c[name] for name in _POOL]
    return (
        select(
            *pool,
            func.count().label("lines"),
            func.min(part.c.seq).label("first"),
            func.max(part.c.seq).label("last"),
            *(func.sum(part.c[name]).label(name) for name in _SUMMED),
        )
        .group_by(*pool)
        .order_by(*pool)
    )


def _summed(row: Row[Any]) -> LedgerSums:
    # PostgreSQL sums bigints as numeric.
    names = ("lines", "first", "last", *_SUMMED)
    return LedgerSums(**{name: int(getattr(row, name)) for name in names})


def _held(connection: Connection, between: _Range) -> dict[Key, int]:
    mine = RESERVATIONS.c
    query = (
        select(mine.owner, mine.provider, func.sum(mine.held_allowance + mine.held_purchased))
        .where(mine.state == State.RESERVED.value, *_within(RESERVATIONS, between))
        .group_by(mine.owner, mine.provider)
    )
    return {(owner, provider): int(held) for owner, provider, held in connection.execute(query)}
