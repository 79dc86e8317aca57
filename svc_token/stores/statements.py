"""What is done with a table's rows by their keys, any number of them at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Table

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

    def find(self, connection: Connection, keys: Rows, *, lock: bool) -> Sequence[Any]:
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


def given(table: Table) -> list[str]:
    """The columns that a new row says, which is all but the one that counts by itself."""
    counted = table.autoincrement_column
    return [column.name for column in table.c if column is not counted]
