"""A ledger of any size whose books are right, written past the service."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, insert, select

from svc_token.domain.audit.events import event_of
from svc_token.domain.entry import Kind, Provenance
from svc_token.domain.member import MemberCap
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import Hold, Pool
from svc_token.domain.reservation import Reservation, State
from svc_token.domain.saga import Saga, Status, Step
from svc_token.stores.rows import (
    cap_row,
    entry_from,
    event_row,
    pool_row,
    reservation_row,
    saga_row,
)
from svc_token.stores.sql_statements import STATEMENTS
from svc_token.stores.tables import LEDGER, MEMBER_CAPS, OUTBOX, POOLS, RESERVATIONS, SAGAS
from svc_token.stores.topics import Topics

# Long over: 2023-11-14.
FIRST_US, DAY_US = 1_699_920_000_000_000, 86_400_000_000
ALLOWANCE, HELD, USED, BOUGHT = 1_000_000_000, 10, 7, 500
# Rows in one statement.
BATCH = 5_000
_NUMBERS = count(1)
_WRITTEN = (LEDGER, RESERVATIONS, SAGAS, POOLS, MEMBER_CAPS)
Row = dict[str, Any]
Rows = Iterator[tuple[Table, Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """So many pools, alike: in each window so many `uses`, of two lines each.

    A window begins with a line of its own; each purchase is one more. An
    organisation's uses are its members' in turn, each of whom has a cap.
    """

    kind: OwnerKind
    pools: int
    windows: int
    uses: int
    purchases: int = 0
    members: int = 1

    @property
    def lines(self) -> int:
        """Of all its pools."""
        return self.pools * (self.windows * (1 + 2 * self.uses) + self.purchases)

    def rows(self) -> Rows:
        """What all tables have of it."""
        for _ in range(self.pools):
            owner = Owner(self.kind, _id())
            yield from _Books(group=self, key=PoolKey(owner, "openai")).rows()


@dataclass(slots=True, kw_only=True)
class _Books:
    """One pool's."""

    group: Group
    key: PoolKey
    seq: int = 0
    bought: int = 0
    users: list[str] = field(default_factory=list)

    def rows(self) -> Rows:
        personal = self.key.owner.kind is OwnerKind.USER
        self.users = [self.key.owner.id if personal else _id() for _ in range(self.group.members)]
        window = FIRST_US
        for day in range(self.group.windows):
            window = FIRST_US + day * DAY_US
            yield self._opened(day, window)
            for use in range(self.group.uses):
                yield from self._used(self.users[use % len(self.users)], window)
        for _ in range(self.group.purchases):
            yield from self._bought(window)
        yield POOLS, pool_row(self._pool(window))
        if not personal:
            yield from (
                (MEMBER_CAPS, cap_row(self._cap(at, window))) for at in range(len(self.users))
            )

    def _opened(self, day: int, window: int) -> tuple[Table, Row]:
        """The first line of a window: the pool's own, or a renewal, which forgets what was used."""
        changes = {"allowance_used": -USED * self.group.uses} if day else {"allowance": ALLOWANCE}
        kind = Kind.RENEW if day else Kind.ADJUST
        return LEDGER, self._line(kind, window, ALLOWANCE, **changes)

    def _used(self, user: str, window: int) -> Rows:
        id_, event = _id(), _id()
        more = {"ref": id_, "user_id": user}
        estimated = {"provenance": Provenance.ESTIMATED.value, "held": HELD, **more}
        yield LEDGER, self._line(Kind.RESERVE, window, HELD, allowance_used=HELD, **estimated)
        settled = {"held": -HELD, "event_id": event, "allowance_used": USED - HELD, **more}
        yield LEDGER, self._line(Kind.SETTLE, window, USED, **settled)
        yield (
            RESERVATIONS,
            reservation_row(
                Reservation(
                    id=id_,
                    pool=self.key,
                    user_id=user,
                    hold=Hold(window, HELD, 0),
                    state=State.SETTLED,
                    expires_us=window + 1,
                    settled=USED,
                )
            ),
        )

    def _bought(self, window: int) -> Rows:
        id_, user, personal = _id(), self.users[0], self.key.owner.kind is OwnerKind.USER
        self.bought += BOUGHT
        more = {"ref": id_, "user_id": user, "purchased": BOUGHT}
        yield LEDGER, self._line(Kind.PURCHASE, window, BOUGHT, **more)
        saga = Saga(
            id=id_,
            scope=user,
            user_id=user,
            org_id=None if personal else self.key.owner.id,
            provider=self.key.provider,
            tokens=BOUGHT,
            idempotency_key=None,
            status=Status.COMPLETED,
            step=Step.NONE,
            created_us=window,
            updated_us=window,
        )
        yield SAGAS, saga_row(saga)

    def _line(self, kind: Kind, window: int, tokens: int, **more: object) -> Row:
        self.seq += 1
        return {
            "owner": str(self.key.owner),
            "provider": self.key.provider,
            "seq": self.seq,
            "kind": kind.value,
            "ref": None,
            "user_id": None,
            "tokens": tokens,
            "held": 0,
            "window": window,
            "allowance": 0,
            "allowance_used": 0,
            "purchased": 0,
            "purchased_used": 0,
            "debt": 0,
            "provenance": Provenance.EXACT.value,
            "event_id": None,
            "at_us": window,
            **more,
        }

    def _pool(self, window: int) -> Pool:
        return Pool(
            key=self.key,
            window=window,
            allowance=ALLOWANCE,
            allowance_used=USED * self.group.uses,
            purchased=self.bought,
            seq=self.seq,
        )

    def _cap(self, at: int, window: int) -> MemberCap:
        uses, more = divmod(self.group.uses, len(self.users))
        return MemberCap(
            pool=self.key,
            user_id=self.users[at],
            cap=ALLOWANCE,
            window=window,
            used=USED * (uses + (at < more)),
        )


def write(connection: Connection, rows: Rows) -> None:
    """Adds rows to empty tables."""
    tables = {table: _Table(connection, table) for table in _WRITTEN}
    for table, row in rows:
        tables[table].add(row)
    for each in tables.values():
        each.flush()


class _Table:
    """Writes so many rows at a time."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        key = [column.name for column in table.primary_key]
        self._statements = STATEMENTS[connection.dialect.name](table, tuple(key))
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) == BATCH:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._statements.insert(self._connection, self._rows)
            self._rows.clear()


def queue(connection: Connection, topics: Topics, events: int) -> None:
    """The events of some settle lines, as if they had not been delivered yet."""
    settles = select(LEDGER).where(LEDGER.c.event_id.is_not(None)).limit(events)
    lines = [entry_from(row) for row in connection.execute(settles)]
    connection.execute(insert(OUTBOX), [event_row(event_of(line), topics) for line in lines])


def _id() -> str:
    # In no order, as those are that clients choose, and each time the same.
    return str(UUID(int=next(_NUMBERS) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128))
