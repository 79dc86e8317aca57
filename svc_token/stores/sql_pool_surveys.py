"""Pools in figures, in SQL: a stretch of the primary key at a time.

No index would find the low ones for less: all that says so changes with each
use, and keeping it in an index would make each use dearer.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Select,
    bindparam,
    case,
    func,
    literal_column,
    select,
    tuple_,
)

from mesh.storage.database import Database
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.survey import PoolSurvey
from svc_token.domain.window import Window
from svc_token.stores.tables import LEDGER, OWNER, POOLS, PROVIDER

_MINE = POOLS.c
_KEY = (_MINE.owner, _MINE.provider)
_ZERO = literal_column("0", BigInteger)
_ONE = literal_column("1", BigInteger)


def _bound(name: str) -> ColumnElement[Any]:
    owner, provider = f"{name}_owner", f"{name}_provider"
    return tuple_(bindparam(owner, type_=OWNER), bindparam(provider, type_=PROVIDER))


_AFTER, _LAST = tuple_(*_KEY) > _bound("after"), tuple_(*_KEY) <= _bound("last")


def _low() -> ColumnElement[bool]:
    """As Pool.remaining has it, in a window in which nothing is used of an older one's."""
    total = _MINE.allowance + _MINE.purchased
    passed = _MINE.window < bindparam("window", type_=BigInteger)
    used = case((passed, _ZERO), else_=_MINE.allowance_used)
    allowance = case((used < _MINE.allowance, _MINE.allowance - used), else_=_ZERO)
    left = allowance + _MINE.purchased - _MINE.purchased_used - _MINE.debt
    return (total > _ZERO) & (left < total * bindparam("low_fraction", type_=Float))


def _overdrawn() -> ColumnElement[bool]:
    """More used than there is, but for what an allowance was cut by meanwhile."""
    lines = LEDGER.c
    cuts = (
        select(func.coalesce(func.sum(-lines.allowance), _ZERO))
        .where(
            lines.owner == _MINE.owner,
            lines.provider == _MINE.provider,
            lines.window == _MINE.window,
            # As the index says it, for the planners to know it again.
            lines.allowance < _ZERO,
        )
        .correlate(POOLS)
        .scalar_subquery()
    )
    over = _MINE.allowance_used - _MINE.allowance
    # Only of those few the ledger is asked.
    cut = case((over > _ZERO, over > cuts), else_=False)
    return (_MINE.purchased_used > _MINE.purchased) | cut


class SqlPoolSurveys:
    """Two statements a stretch, in one snapshot: where it ends, and what is in it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def survey(
        self, after: PoolKey | None, limit: int, *, window: Window, low_fraction: float
    ) -> PoolSurvey:
        """At most `limit` pools beyond a key, in the order of their keys."""
        begin = {} if after is None else _place("after", str(after.owner), after.provider)
        measure = {"window": window.id, "low_fraction": low_fraction}
        async with self._database.read() as connection:
            last = (await connection.execute(_end(limit, begun=bool(begin)), begin)).first()
            end = _place("last", last.owner, last.provider) if last else {}
            figures = _figures(begun=bool(begin), ended=bool(end))
            rows = (await connection.execute(figures, begin | end | measure)).all()
        return PoolSurvey(
            # PostgreSQL sums bigints as numeric.
            low={row.provider: int(row.low) for row in rows if row.low},
            overdrawn=sum(int(row.overdrawn) for row in rows),
            last=PoolKey(Owner.parse(last.owner), last.provider) if last else None,
        )


def _place(name: str, owner: str, provider: str) -> dict[str, Any]:
    return {f"{name}_owner": owner, f"{name}_provider": provider}


@cache
def _end(limit: int, *, begun: bool) -> Select[Any]:
    """The key of the stretch's last pool; none when no full stretch is left."""
    ordered = select(*_KEY).order_by(*_KEY).offset(limit - 1).limit(1)
    return ordered.where(_AFTER) if begun else ordered


@cache
def _figures(*, begun: bool, ended: bool) -> Select[Any]:
    within = [*([_AFTER] if begun else []), *([_LAST] if ended else [])]
    return (
        select(
            _MINE.provider,
            func.sum(case((_low(), _ONE), else_=_ZERO)).label("low"),
            func.sum(case((_overdrawn(), _ONE), else_=_ZERO)).label("overdrawn"),
        )
        .where(*within)
        .group_by(_MINE.provider)
    )
