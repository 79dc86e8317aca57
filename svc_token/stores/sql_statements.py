"""A table's statements by key, for any number of rows at once.

SQLite takes the rows one by one, in the process. To PostgreSQL they go as an
array a column: a batch is a handful of round trips, and its statements are
the same for any number of rows, so that they are prepared once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Row,
    String,
    Table,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

Rows = Sequence[Mapping[str, Any]]


class Statements(Protocol):
    """What is done with rows; a row is its columns by name.

    They are made of the table, the columns of its key, those that change, and
    some, by their names, that must be `once`: a row of theirs that is there already
    counts as done.
    """

    def __init__(
        self, table: Table, key: Sequence[str], changing: Sequence[str] = (), *, once: str = ""
    ) -> None: ...

    def find(self, connection: Connection, keys: Rows, *, lock: bool) -> Sequence[Row[Any]]:
        """The rows of these keys; when asked, locked in the order of the keys."""
        ...

    def insert(self, connection: Connection, rows: Rows) -> None:
        """New rows."""
        ...

    def update(self, connection: Connection, rows: Rows) -> None:
        """The key's columns say which row, the changing ones what it is now."""
        ...

    def delete(self, connection: Connection, keys: Rows) -> None:
        """No rows of these keys any more."""
        ...


class OneByOne:
    """For SQLite, whose writer is alone and needs no locks."""

    def __init__(
        self, table: Table, key: Sequence[str], changing: Sequence[str] = (), *, once: str = ""
    ) -> None:
        self._key = key
        columns = tuple_(*(table.c[name] for name in key))
        among = columns.in_(bindparam("keys", expanding=True))
        self._find, self._delete = select(table).where(among), delete(table).where(among)
        new = sqlite.insert(table)
        self._insert = new.on_conflict_do_nothing(index_elements=once.split()) if once else new
        self._update = (
            update(table)
            .where(*(table.c[name] == bindparam(f"its_{name}") for name in key))
            .values({name: bindparam(name) for name in changing})
        )

    def find(self, connection: Connection, keys: Rows, *, lock: bool) -> Sequence[Row[Any]]:  # noqa: ARG002
        """The rows of these keys."""
        wanted = [tuple(key[name] for name in self._key) for key in keys]
        return connection.execute(self._find, {"keys": wanted}).all()

    def insert(self, connection: Connection, rows: Rows) -> None:
        """New rows."""
        connection.execute(self._insert, list(rows))

    def update(self, connection: Connection, rows: Rows) -> None:
        """Rows as they are now."""
        keyed = [{**row, **{f"its_{name}": row[name] for name in self._key}} for row in rows]
        connection.execute(self._update, keyed)

    def delete(self, connection: Connection, keys: Rows) -> None:
        """No such rows any more."""
        wanted = [tuple(key[name] for name in self._key) for key in keys]
        connection.execute(self._delete, {"keys": wanted})


class Arrays:
    """For PostgreSQL."""

    def __init__(
        self, table: Table, key: Sequence[str], changing: Sequence[str] = (), *, once: str = ""
    ) -> None:
        self._key, self._updated = key, (*key, *changing)
        wanted = _rows(table, key)
        self._find = select(table).join(wanted, _same(table, wanted, key))
        order = [table.c[name] for name in key]
        self._lock = self._find.order_by(*order).with_for_update(of=table)
        counted = table.autoincrement_column
        self._columns = [column.name for column in table.c if column is not counted]
        new = postgresql.insert(table).from_select(
            self._columns, select(*_rows(table, self._columns).c), include_defaults=False
        )
        self._insert = new.on_conflict_do_nothing(index_elements=once.split()) if once else new
        now = _rows(table, self._updated)
        values = {name: now.c[name] for name in changing}
        self._update = update(table).where(_same(table, now, key)).values(values)
        self._delete = delete(table).where(_same(table, wanted, key))

    def find(self, connection: Connection, keys: Rows, *, lock: bool) -> Sequence[Row[Any]]:
        """The rows of these keys."""
        query = self._lock if lock else self._find
        return connection.execute(query, _arrays(keys, self._key)).all()

    def insert(self, connection: Connection, rows: Rows) -> None:
        """New rows."""
        connection.execute(self._insert, _arrays(rows, self._columns))

    def update(self, connection: Connection, rows: Rows) -> None:
        """Rows as they are now."""
        connection.execute(self._update, _arrays(rows, self._updated))

    def delete(self, connection: Connection, keys: Rows) -> None:
        """No such rows any more."""
        connection.execute(self._delete, _arrays(keys, self._key))


STATEMENTS: Mapping[str, type[Statements]] = {"sqlite": OneByOne, "postgresql": Arrays}


def _arrays(rows: Rows, names: Sequence[str]) -> dict[str, list[Any]]:
    return {f"all_{name}": [row[name] for row in rows] for name in names}


def _rows(table: Table, names: Sequence[str]) -> TableValuedAlias:
    arrays = [bindparam(f"all_{name}", type_=ARRAY(_open(table.c[name].type))) for name in names]
    return func.unnest(*arrays).table_valued(*names, name="given").render_derived()


def _open(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    # A cast to VARCHAR(n) would cut what is too long, where it is to be refused.
    return Text() if isinstance(kind, String) else kind


def _same(table: Table, rows: TableValuedAlias, key: Sequence[str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == rows.c[name] for name in key))
