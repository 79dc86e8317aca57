"""Statements for SQLite.

It takes the rows one by one, in the process, as its driver has them: for each statement
SQLAlchemy would do several times what the database does.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import sqlite

from svc_token.stores.statements import Rows, Write, given

_SQLITE = sqlite.dialect(paramstyle="qmark")
# Marks what a row is looked for by, beside what it is to be.
_ITS = "its_"


def _among(table: Table, key: Sequence[str]) -> ColumnElement[bool]:
    """Whether a row is one of `keys`, which are JSON: an array of arrays.

    SQLite looks up what a subselect names, one by one; for a list of more than
    one it would read the table from end to end.
    """
    listed = func.json_each(bindparam("keys")).table_valued("value")
    paths: list[ColumnElement[str]] = [literal_column(f"'$[{at}]'") for at in range(len(key))]
    parts = (func.json_extract(listed.c.value, path) for path in paths)
    return tuple_(*(table.c[name] for name in key)).in_(select(*parts))


class _Reading:
    """A query as the driver takes it; its rows have their columns by name."""

    def __init__(self, query: Select[Any], table: Table) -> None:
        self._text = str(query.compile(dialect=_SQLITE))
        self._row = _row_of(table)

    def __call__(self, connection: Connection, parameters: Sequence[Any]) -> list[Any]:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text, parameters)
            return list(map(self._row, cursor.fetchall()))
        finally:
            cursor.close()


def _named(name: str, columns: Iterable[str]) -> Any:
    kind: Any = NamedTuple
    return kind(name, [(column, Any) for column in columns])._make


def _row_of(table: Table) -> Callable[[Iterable[Any]], Any]:
    """What makes a row of the driver's values, which are most columns' own."""
    make: Callable[[Iterable[Any]], Any] = _named(table.name, table.c.keys())
    kinds = (column.type.dialect_impl(_SQLITE) for column in table.c)
    reads = [kind.result_processor(_SQLITE, None) for kind in kinds]
    if not any(reads):
        return make
    return lambda row: make(
        read(value) if read else value for read, value in zip(reads, row, strict=True)
    )


class _Prepared:
    """A write as SQLite's driver takes it; its columns are numbers, texts and bytes."""

    def __init__(self, statement: Insert | Update, names: Sequence[str] | None = None) -> None:
        compiled = statement.compile(dialect=_SQLITE, column_keys=names, for_executemany=True)
        self._text = str(compiled)
        order = compiled.positiontup or ()
        self._values = itemgetter(*(name.removeprefix(_ITS) for name in order))

    def __call__(self, rows: Rows) -> Write:
        return self._text, list(map(self._values, rows))


class OneByOne:
    """Those of one table; its writer is alone and needs no locks."""

    def __init__(
        self, table: Table, key: Sequence[str], changing: Sequence[str] = (), *, once: str = ""
    ) -> None:
        self._key = key
        among = _among(table, key)
        # One row is what most ask for, and a list of keys is written anew each time.
        this = [table.c[name] == bindparam(name) for name in key]
        self._find = _Reading(select(table).where(among), table)
        self._find_one = _Reading(select(table).where(*this), table)
        self._delete, self._delete_one = delete(table).where(among), delete(table).where(*this)
        new = sqlite.insert(table)
        once_only = new.on_conflict_do_nothing(index_elements=once.split()) if once else new
        self._insert = _Prepared(once_only, given(table))
        if changing:
            self._update = _Prepared(
                update(table)
                .where(*(table.c[name] == bindparam(f"{_ITS}{name}") for name in key))
                .values({name: bindparam(name) for name in changing})
            )

    def find(self, connection: Connection, keys: Rows, *, lock: bool) -> Sequence[Any]:  # noqa: ARG002
        """The rows of these keys."""
        if len(keys) == 1:
            return self._find_one(connection, [keys[0][name] for name in self._key])
        return self._find(connection, (self._listed(keys),))

    def insert(self, connection: Connection, rows: Rows) -> None:
        """New rows."""
        _write(connection, *self.inserting(rows))

    def update(self, connection: Connection, rows: Rows) -> None:
        """Rows as they are now."""
        _write(connection, *self.updating(rows))

    def inserting(self, rows: Rows) -> Write:
        """New rows."""
        return self._insert(rows)

    def updating(self, rows: Rows) -> Write:
        """Rows as they are now."""
        return self._update(rows)

    def delete(self, connection: Connection, keys: Rows) -> None:
        """No such rows any more."""
        if len(keys) == 1:
            connection.execute(self._delete_one, {name: keys[0][name] for name in self._key})
        else:
            connection.execute(self._delete, {"keys": self._listed(keys)})

    def _listed(self, keys: Rows) -> str:
        return orjson.dumps([[key[name] for name in self._key] for key in keys]).decode()


class InTurn:
    """A statement costs no round trip."""

    def __call__(self, connection: Connection, writes: Sequence[Write]) -> None:
        """One after another."""
        for statement, parameters in writes:
            _write(connection, statement, parameters)


def _write(connection: Connection, statement: str, rows: Sequence[Any]) -> None:
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(statement, rows)
    finally:
        cursor.close()
