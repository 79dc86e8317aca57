"""The working set of one transaction: loaded and locked, and written back."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table

from svc_token.domain.book import Book, keys_of, members_of, pools_of, reservations_of
from svc_token.domain.idempotency import Answer, Key
from svc_token.domain.operations import MemberKey, OnPool, Operation
from svc_token.domain.pool import Pool
from svc_token.stores.rows import (
    cap_from,
    cap_row,
    entry_row,
    event_row,
    key_from,
    key_row,
    pool_from,
    pool_row,
    reservation_from,
    reservation_row,
)
from svc_token.stores.sql_statements import STATEMENTS, TOGETHER
from svc_token.stores.statements import Write
from svc_token.stores.tables import (
    IDEMPOTENCY_KEYS,
    LEDGER,
    MEMBER_CAPS,
    OUTBOX,
    POOLS,
    RESERVATIONS,
)
from svc_token.stores.topics import Topics

_Row = dict[str, Any]
_Change = tuple[Callable[[list[_Row]], Write], list[_Row]]


@dataclass(slots=True)
class Loaded:
    """A book, and which of its rows are in the tables already."""

    book: Book
    pools: set[object] = field(default_factory=set)
    reservations: set[object] = field(default_factory=set)


class SqlBook:
    """Reads and writes books in POOLS, RESERVATIONS, MEMBER_CAPS, LEDGER and OUTBOX.

    Pools are locked first and in the order of their keys, new rows written in
    it too: two processes' batches wait for each other, but never in a circle.
    The pools' locks cover all else that is their owners'.
    """

    def __init__(self, dialect: str, topics: Topics) -> None:
        self._topics = topics
        made = STATEMENTS[dialect]
        self._together = TOGETHER[dialect]()
        self._pools = made(POOLS, ("owner", "provider"), _others(POOLS, 2))
        ending = ("state", "settled", "end_remaining")
        self._reservations = made(RESERVATIONS, ("owner", "id"), ending)
        self._caps = made(MEMBER_CAPS, _CAP_KEY, ("window", "used", "updated_us"))
        self._entries = made(LEDGER, ("owner", "provider", "seq"))
        # An event is written once, however often it is told: its answer may have been lost.
        self._events = made(OUTBOX, ("seq",), once="event_id")
        self._answers = made(IDEMPOTENCY_KEYS, _ANSWER_KEY, ("answer",))

    def load(self, connection: Connection, operations: Sequence[Operation]) -> Loaded:
        """What the operations touch, locked until the transaction ends."""
        book = Book()
        keys = [{"owner": str(key.owner), "provider": key.provider} for key in pools_of(operations)]
        if keys:
            pools = map(pool_from, self._pools.find(connection, keys, lock=True))
            book.pools = {pool.key: pool for pool in pools}
        held = [{"owner": str(owner), "id": id_} for owner, id_ in reservations_of(operations)]
        if held:
            found = map(reservation_from, self._reservations.find(connection, held, lock=False))
            book.reservations = {(one.pool.owner, one.id): one for one in found}
        members = members_of(operations, book.reservations.values())
        if members:
            caps = map(cap_from, self._caps.find(connection, _members(members), lock=False))
            book.caps = {(cap.pool, cap.user_id): cap for cap in caps}
        claimed = keys_of(operations)
        if claimed:
            book.claims = self._claims(connection, claimed)
        return Loaded(book, set(book.pools), set(book.reservations))

    def do(self, connection: Connection, operation: OnPool) -> Pool:
        """The pool after one operation, written; raises what the domain refuses it with."""
        loaded = self.load(connection, [operation])
        loaded.book.apply(operation)
        self.save(connection, loaded)
        return loaded.book.pools[operation.pool]

    def save(self, connection: Connection, loaded: Loaded) -> None:
        """Writes what has changed of it: new pools first, then all else at once."""
        book = loaded.book
        pools = {key: pool_row(book.pools[key]) for key in book.changed_pools}
        new, known = _split(pools, loaded.pools)
        if new:
            self._pools.insert(connection, _in_order(new))
        changed = (
            (self._pools.updating, known),
            *self._of_reservations(loaded),
            (self._caps.updating, [cap_row(book.caps[key]) for key in book.changed_caps]),
            (self._entries.inserting, [entry_row(entry) for entry in book.entries]),
            (self._events.inserting, [event_row(event, self._topics) for event in book.events]),
            (self._answers.updating, [_answer_row(answer) for answer in book.answers]),
        )
        self._together(connection, [write(rows) for write, rows in changed if rows])

    def _of_reservations(self, loaded: Loaded) -> tuple[_Change, _Change]:
        book = loaded.book
        rows = {key: reservation_row(book.reservations[key]) for key in book.changed_reservations}
        new, known = _split(rows, loaded.reservations)
        return (
            (self._reservations.inserting, _in_order(new)),
            (self._reservations.updating, known),
        )

    def _claims(self, connection: Connection, keys: Iterable[Key]) -> dict[Key, str]:
        # Locked last: whoever holds one of these rows waits for no pool.
        rows = self._answers.find(connection, [key_row(key) for key in keys], lock=True)
        return {key_from(row): row.id for row in rows if row.answer is None}


_CAP_KEY = ("owner", "provider", "user_id")
_ANSWER_KEY = ("scope", "operation", "key")


def _others(table: Table, key: int) -> tuple[str, ...]:
    return tuple(column.name for column in table.c)[key:]


def _members(keys: Iterable[MemberKey]) -> list[dict[str, Any]]:
    return [
        {"owner": str(pool.owner), "provider": pool.provider, "user_id": user}
        for pool, user in keys
    ]


def _answer_row(answer: Answer) -> dict[str, Any]:
    return {**key_row(answer.key), "answer": answer.body}


def _split(rows: dict[Any, _Row], known: Container[object]) -> tuple[list[_Row], list[_Row]]:
    """Those that are not in the tables yet, and those that are."""
    return (
        [row for key, row in rows.items() if key not in known],
        [row for key, row in rows.items() if key in known],
    )


def _in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["owner"], row.get("id", row["provider"])))
