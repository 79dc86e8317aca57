"""A table's statements by key, for any number of rows at once.

SQLite takes the rows one by one, in the process, as its driver has them: for
each of them SQLAlchemy would do more than the database does. To PostgreSQL they
go as an array a column: a batch is a handful of round trips, and its statements
are the same for any number of rows, so that they are prepared once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Protocol

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Row,
    String,
    Table,
    TableValuedAlias,
    Text,
    TypeDecorator,
    Update,
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
# A statement that writes, as its database's `Together` takes it, and its parameters.
Write = tuple[Any, Any]


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

    def inserting(self, rows: Rows) -> Write:
        """What `insert` does, to be done together with others."""
        ...

    def updating(self, rows: Rows) -> Write:
        """What `update` does, to be done together with others."""
        ...


class Together(Protocol):
    """Does several writes at once; none of them may depend on another."""

    def __call__(self, connection: Connection, writes: Sequence[Write]) -> None:
        """All of them, or none."""
        ...


class _Keys(TypeDecorator[Any]):
    """Keys in one parameter, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str:
        """An array of arrays."""
        return orjson.dumps(value).decode()


def _among(table: Table, key: Sequence[str]) -> ColumnElement[bool]:
    """Whether a row is one of `keys`.

    SQLite looks up what a subselect names, one by one; for a list of more than
    one it would read the table from end to end.
    """
    given = func.json_each(bindparam("keys", type_=_Keys())).table_valued("value")
    parts = (func.json_extract(given.c.value, f"$[{at}]") for at in range(len(key)))
    return tuple_(*(table.c[name] for name in key)).in_(select(*parts))


class _Prepared:
    """A write as SQLite's driver takes it; its columns are numbers, texts and bytes."""

    def __init__(self, statement: Insert | Update, names: Sequence[str] | None = None) -> None:
        compiled = statement.compile(dialect=_SQLITE, column_keys=names, for_executemany=True)
        self._text = str(compiled)
        order = compiled.positiontup or ()
        self._values = itemgetter(*(name.removeprefix(_ITS) for name in order))

    def __call__(self, rows: Rows) -> Write:
        return self._text, list(map(self._values, rows))


_SQLITE = sqlite.dialect(paramstyle="qmark")
# Marks what a row is looked for by, beside what it is to be.
_ITS = "its_"


class OneByOne:
    """For SQLite, whose writer is alone and needs no locks."""

    def __init__(
        self, table: Table, key: Sequence[str], changing: Sequence[str] = (), *, once: str = ""
    ) -> None:
        self._key = key
        among = _among(table, key)
        self._find, self._delete = select(table).where(among), delete(table).where(among)
        # One row is what most ask for, and a list of keys is written anew each time.
        this = [table.c[name] == bindparam(name) for name in key]
        self._find_one, self._delete_one = select(table).where(*this), delete(table).where(*this)
        new = sqlite.insert(table)
        once_only = new.on_conflict_do_nothing(index_elements=once.split()) if once else new
        self._insert = _Prepared(once_only, _given(table))
        if changing:
            self._update = _Prepared(
                update(table)
                .where(*(table.c[name] == bindparam(f"{_ITS}{name}") for name in key))
                .values({name: bindparam(name) for name in changing})
            )

    def find(self, connection: Connection, keys: Rows, *, lock: bool) -> Sequence[Row[Any]]:  # noqa: ARG002
        """The rows of these keys."""
        one, wanted = self._wanted(keys)
        return connection.execute(self._find_one if one else self._find, wanted).all()

    def insert(self, connection: Connection, rows: Rows) -> None:
        """New rows."""
        connection.exec_driver_sql(*self.inserting(rows))

    def update(self, connection: Connection, rows: Rows) -> None:
        """Rows as they are now."""
        connection.exec_driver_sql(*self.updating(rows))

    def inserting(self, rows: Rows) -> Write:
        """New rows."""
        return self._insert(rows)

    def updating(self, rows: Rows) -> Write:
        """Rows as they are now."""
        return self._update(rows)

    def delete(self, connection: Connection, keys: Rows) -> None:
        """No such rows any more."""
        one, wanted = self._wanted(keys)
        connection.execute(self._delete_one if one else self._delete, wanted)

    def _wanted(self, keys: Rows) -> tuple[bool, Mapping[str, Any]]:
        """Whether it is one row, and the parameters that say which."""
        if len(keys) == 1:
            return True, {name: keys[0][name] for name in self._key}
        return False, {"keys": [tuple(key[name] for name in self._key) for key in keys]}


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
        self._columns = _given(table)
        # Other names than the keys': it may be one statement with other tables' writes.
        self._new, self._now = f"new_{table.name}", f"now_{table.name}"
        given = _rows(table, self._columns, self._new)
        new = postgresql.insert(table).from_select(
            self._columns, select(*given.c), include_defaults=False
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


class InTurn:
    """For SQLite, where a statement costs no round trip."""

    def __call__(self, connection: Connection, writes: Sequence[Write]) -> None:
        """One after another."""
        for statement, parameters in writes:
            connection.exec_driver_sql(statement, parameters)


class InOne:
    """For PostgreSQL: one statement, the others WITH the last, in one round trip.

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


# The same table's are made once: whoever has the same statements has them compiled already.
STATEMENTS: Mapping[str, Callable[..., Statements]] = {
    "sqlite": cache(OneByOne),
    "postgresql": cache(Arrays),
}
TOGETHER: Mapping[str, type[Together]] = {"sqlite": InTurn, "postgresql": InOne}


def _given(table: Table) -> list[str]:
    """The columns that a new row says, which is all but the one that counts by itself."""
    counted = table.autoincrement_column
    return [column.name for column in table.c if column is not counted]


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
