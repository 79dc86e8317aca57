"""Things that one process at a time looks after, shared fairly among the living.

A lease is its holder's until a moment, and nobody else's before (Gray and
Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File
Cache Consistency", 1989). Its fence grows whenever it is taken, so that what
was begun under an earlier one can be told apart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """`until_us` is 0 for one that was given back; nobody's yet has no holder and the fence 0."""

    name: str
    holder: str = ""
    until_us: int = 0
    fence: int = 0

    def held(self, now_us: int) -> bool:
        """Whether it is somebody's."""
        return self.until_us > now_us

    def renewed(self, until_us: int) -> "Lease":
        """Longer; the holder stays."""
        return replace(self, until_us=until_us)

    def given_back(self) -> "Lease":
        """Free for anyone."""
        return replace(self, until_us=0)

    def taken(self, holder: str, until_us: int) -> "Lease":
        """By a holder that had not got it."""
        return replace(self, holder=holder, until_us=until_us, fence=self.fence + 1)


def fair_share(count: int, holder: str, holders: Collection[str]) -> int:
    """How many of `count` are this holder's; those of all holders add up to `count`."""
    ranks = sorted({*holders, holder})
    share, rest = divmod(count, len(ranks))
    return share + (ranks.index(holder) < rest)


def shared(
    leases: Sequence[Lease], holder: str, holders: Collection[str], *, now_us: int, until_us: int
) -> Sequence[Lease]:
    """What a holder's turn changes: its own are renewed, free ones taken, too many given back.

    `leases` are all that there are, `holders` who is alive. One that another
    holds is never touched, so whoever comes waits for the others' turns. A
    holder that comes late for its own takes it anew.
    """
    fair = fair_share(len(leases), holder, holders)
    mine = [lease for lease in leases if lease.held(now_us) and lease.holder == holder]
    free = [lease for lease in leases if not lease.held(now_us)]
    kept, spare = mine[:fair], mine[fair:]
    return [
        *(lease.renewed(until_us) for lease in kept),
        *(lease.given_back() for lease in spare),
        *(lease.taken(holder, until_us) for lease in free[: fair - len(kept)]),
    ]
