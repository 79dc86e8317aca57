"""The ledger's lines: what each operation did to a pool, never changed and never taken back."""

from dataclasses import dataclass
from enum import StrEnum

from svc_token.domain.owner import PoolKey
from svc_token.domain.pool import Pool


class Kind(StrEnum):
    """What was done. An `adjust` is another allowance, also that of a pool's opening."""

    RESERVE = "reserve"
    SETTLE = "settle"
    RELEASE = "release"
    EXPIRE = "expire"
    PURCHASE = "purchase"
    ADJUST = "adjust"
    RENEW = "renew"


class Provenance(StrEnum):
    """Who says a line's `tokens`: the one who used them, a guess beforehand, or nobody."""

    EXACT = "exact"
    ESTIMATED = "estimated"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Note:
    """What a line says beside the change of the balances.

    `ref` is a reservation's or a purchase's id; `held` by how much the open
    reservations' tokens changed; `event_id` the event that told of it.
    """

    kind: Kind
    tokens: int
    at_us: int
    ref: str | None = None
    user_id: str | None = None
    held: int = 0
    provenance: Provenance = Provenance.EXACT
    event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line. `seq` counts a pool's lines from 1 and leaves none out.

    The sums of `allowance` to `debt` over a pool's lines are its balances, and
    the sum of `held` is what its open reservations hold. `window` is the
    pool's after the change.
    """

    pool: PoolKey
    seq: int
    note: Note
    window: int
    allowance: int
    allowance_used: int
    purchased: int
    purchased_used: int
    debt: int


def entry_between(before: Pool, after: Pool, note: Note) -> Entry:
    """The line that leads from one state of a pool to the next."""
    return Entry(
        pool=after.key,
        seq=before.seq + 1,
        note=note,
        window=after.window,
        allowance=after.allowance - before.allowance,
        allowance_used=after.allowance_used - before.allowance_used,
        purchased=after.purchased - before.purchased,
        purchased_used=after.purchased_used - before.purchased_used,
        debt=after.debt - before.debt,
    )
