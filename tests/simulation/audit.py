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
_LINES = "SELECT rowid, owner, ref, kind FROM ledger WHERE rowid > ? ORDER BY rowid"


@dataclass(slots=True)
class Audit:
    """`overdrawn` is what was wrong at a snapshot; `ends` when each hold's end was committed."""

    server: Server
    clock: VirtualClock
    overdrawn: list[str] = field(default_factory=list)
    ends: dict[tuple[str, str, str], int] = field(default_factory=dict)
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
        for number, owner, ref, kind in cursor.execute(_LINES, (self._seen,)).fetchall():
            self._seen = number
            self.ends[(owner, ref, kind)] = self.clock.now_us()
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
