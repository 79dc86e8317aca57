"""Looks at the tables after every commit, past all code of ours.

What a commit has not touched is as it was at the last look, and is not looked at again.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.database import Server
from tests.simulation.loop import VirtualClock

_POOL = """
SELECT window, allowance, allowance_used, purchased, purchased_used, debt
FROM pools WHERE owner = ? AND provider = ?
"""
_HELD = """
SELECT coalesce(sum(
         CASE WHEN state = 'RESERVED' THEN held_allowance + held_purchased ELSE settled END), 0),
       coalesce(sum(CASE WHEN state = 'RESERVED' THEN held_purchased ELSE 0 END), 0)
FROM reservations WHERE owner = ? AND provider = ?
"""
_LINES = """
SELECT rowid, owner, provider, ref, kind, user_id FROM ledger WHERE rowid > ? ORDER BY rowid
"""
_CAPS = "SELECT owner, provider, user_id, used, cap FROM member_caps WHERE used > cap"
# The database itself says whose rows a transaction has touched, whichever way it did so.
_TOUCHED = """
CREATE TEMP TRIGGER touched_{event}_{table} AFTER {event} ON {table}
BEGIN SELECT touched({row}.owner, {row}.provider); END
"""
_TABLES = ("pools", "reservations", "ledger")
_EVENTS = (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))


@dataclass(slots=True)
class Audit:
    """`overdrawn` is what was wrong at a snapshot; `ends` when each hold's end was committed."""

    server: Server
    clock: VirtualClock
    overdrawn: list[str] = field(default_factory=list)
    ends: dict[tuple[str, str, str], int] = field(default_factory=dict)
    uncapped: list[str] = field(default_factory=list)
    snapshots: int = 0
    _seen: int = 0
    _touched: set[tuple[str, str]] = field(default_factory=set)
    # What each window of a pool has ever allowed.
    _allowed: dict[tuple[str, str], dict[int, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def __post_init__(self) -> None:
        self.server.raw.create_function("touched", 2, self._touch)
        for table in _TABLES:
            for event, row in _EVENTS:
                self.server.raw.execute(_TOUCHED.format(event=event, table=table, row=row))

    def _touch(self, owner: str, provider: str) -> None:
        self._touched.add((owner, provider))

    def __call__(self) -> None:
        """A commit has just happened: looks at each pool that it has touched, as it stands now."""
        self.snapshots += 1
        if not self._touched:
            return
        cursor = self.server.raw.cursor()
        for key in sorted(self._touched):
            self._look(cursor, *key)
        self._touched.clear()
        self._read_lines(cursor)
        cursor.close()

    def _read_lines(self, cursor: Any) -> None:
        lines = cursor.execute(_LINES, (self._seen,)).fetchall()
        kinds: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for number, owner, provider, ref, kind, user in lines:
            self._seen = number
            self.ends[(owner, ref, kind)] = self.clock.now_us()
            kinds[(owner, provider, user)].add(kind)
        for owner, provider, user, taken, cap in cursor.execute(_CAPS).fetchall():
            # More than was held may be charged, and a cap may be cut; nothing may be held.
            if kinds[(owner, provider, user)] == {"reserve"}:
                self.uncapped.append(f"{user} of {owner} at {provider}: {taken} of {cap}")

    def _look(self, cursor: Any, owner: str, provider: str) -> None:
        row = cursor.execute(_POOL, (owner, provider)).fetchone()
        if row is None:
            return
        window, allowance, taken, purchased, purchased_used, debt = row
        used, own = cursor.execute(_HELD, (owner, provider)).fetchone()
        allowed = self._allowed[(owner, provider)]
        allowed[window] = max(allowance, allowed.get(window, 0))
        total = sum(allowed.values()) + purchased
        where = f"{owner} at {provider}"
        if used > total + debt:
            self.overdrawn.append(f"{where}: settled + reserved = {used} of {total}, owed {debt}")
        if not own <= purchased_used <= purchased or taken > allowed[window]:
            self.overdrawn.append(f"{where}: {row[1:]}, of which {own} are held")
