"""Statements for PostgreSQL.

Rows go as an array a column: a batch is a handful of round trips, and its statements
are the same for any number of rows, so that they are prepared once.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Insert,
    Row,
    String,
    Table,
    TableValuedAlias,
    Text,
    Update,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from svc_token.stores.statements import Rows, Write, given


class Arrays:
    """Those of one table."""

    def __init__(
        self, table: Table, key: Sequence[str], changing: Sequence[str] = (), *, once: str = ""
    ) -> None:
        self._key, self._updated = key, (*key, *changing)
        wanted = _rows(table, key)
        self._find = select(table).join(wanted, _same(table, wanted, key))
        order = [table.c[name] for name in key]
        self._lock = self._find.order_by(*order).with_for_update(of=table)
        self._columns = given(table)
        # Other names than the keys': it may be one statement with other tables' writes.
        self._new, self._now = f"new_{table.name}", f"now_{table.name}"
        fresh = _rows(table, self._columns, self._new)
        new = postgresql.insert(table).from_select(
            self._columns, select(*fresh.c), include_defaults=False
        )
        self._insert = new.on_conflict_do_nothing(index_elements=once.split()) if once else new
        now = _rows(table, self._updated, self._now)
        values = {name: now.c[name] for name in changing}
        self._update = update(table).where(_same(table, now, key)).values(values)
        self._delete = delete(table).where(_same(table, wanted, key))

    def find(self, connection: Connection, keys: Rows, *, lock: bool) -> Sequence[Row[Any]]:
        """The rows of these keys."""
        query = self._lock if lock else self._find
        return connection.execute(query, _arrays(keys, self._key)).all()

    def insert(self, connection: Connection, rows: Rows) -> None:
        """New rows."""
        connection.execute(*self.inserting(rows))

    def update(self, connection: Connection, rows: Rows) -> None:
        """Rows as they are now."""
        connection.execute(*self.updating(rows))

    def inserting(self, rows: Rows) -> Write:
        """New rows."""
        return self._insert, _arrays(rows, self._columns, self._new)

    def updating(self, rows: Rows) -> Write:
        """Rows as they are now."""
        return self._update, _arrays(rows, self._updated, self._now)

    def delete(self, connection: Connection, keys: Rows) -> None:
        """No such rows any more."""
        connection.execute(self._delete, _arrays(keys, self._key))


class InOne:
    """One statement, the others WITH the last, in one round trip.

    They see the tables as they were before, and are done in no order that may be
    relied on.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Insert | Update, ...], Insert | Update] = {}

    def __call__(self, connection: Connection, writes: Sequence[Write]) -> None:
        """All of them, or none."""
        if not writes:
            return
        statements = tuple(statement for statement, _ in writes)
        together = self._made.get(statements)
        if together is None:
            # A few combinations of a few statements are all that there are.
            *others, last = statements
            together = last.add_cte(*(each.cte() for each in others))
            self._made[statements] = together
        parameters = {name: value for _, given in writes for name, value in given.items()}
        connection.execute(together, parameters)


def _arrays(rows: Rows, names: Sequence[str], mark: str = "all") -> dict[str, list[Any]]:
    return {f"{mark}_{name}": [row[name] for row in rows] for name in names}


def _rows(table: Table, names: Sequence[str], mark: str = "all") -> TableValuedAlias:
    kinds = {name: ARRAY(_open(table.c[name].type)) for name in names}
    arrays = [bindparam(f"{mark}_{name}", type_=kind) for name, kind in kinds.items()]
    return func.unnest(*arrays).table_valued(*names, name="given").render_derived()


def _open(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    # A cast to VARCHAR(n) would cut what is too long, where it is to be refused.
    return Text() if isinstance(kind, String) else kind


def _same(table: Table, rows: TableValuedAlias, key: Sequence[str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == rows.c[name] for name in key))
