"""Looks at the tables after every commit, past all code of ours."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.simulation.database import Server
from tests.simulation.loop import VirtualClock

_POOLS = """
SELECT p.owner, p.provider, p.window, p.allowance, p.allowance_used, p.purchased,
       p.purchased_used, p.debt
FROM pools p
"""
_HELD = """
SELECT owner, provider,
       sum(CASE WHEN state = 'RESERVED' THEN held_allowance + held_purchased ELSE settled END),
       sum(CASE WHEN state = 'RESERVED' THEN held_purchased ELSE 0 END)
FROM reservations GROUP BY owner, provider
"""
_LINES = """
SELECT rowid, owner, provider, ref, kind, user_id FROM ledger WHERE rowid > ? ORDER BY rowid
"""
_CAPS = "SELECT owner, provider, user_id, used, cap FROM member_caps WHERE used > cap"


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
    # What each window of a pool has ever allowed.
    _allowed: dict[tuple[str, str], dict[int, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def __call__(self) -> None:
        """A commit has just happened."""
        self.snapshots += 1
        cursor = self.server.raw.cursor()
        used = {(row[0], row[1]): row[2:] for row in cursor.execute(_HELD)}
        for row in cursor.execute(_POOLS).fetchall():
            self._look(row, *used.get((row[0], row[1]), (0, 0)))
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
        cursor.close()

    def _look(
        self, row: tuple[str, str, int, int, int, int, int, int], used: int, own: int
    ) -> None:
        owner, provider, window, allowance, taken, purchased, purchased_used, debt = row
        allowed = self._allowed[(owner, provider)]
        allowed[window] = max(allowance, allowed.get(window, 0))
        total = sum(allowed.values()) + purchased
        where = f"{owner} at {provider}"
        if used > total + debt:
            self.overdrawn.append(f"{where}: settled + reserved = {used} of {total}, owed {debt}")
        if not own <= purchased_used <= purchased or taken > allowed[window]:
            self.overdrawn.append(f"{where}: {row[3:]}, of which {own} are held")
