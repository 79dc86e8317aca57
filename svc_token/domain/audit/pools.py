"""A pool's balances against the sums of its lines."""

from collections.abc import Iterator
from dataclasses import dataclass

from svc_token.domain.audit.difference import Difference, Mismatch
from svc_token.domain.owner import PoolKey
from svc_token.domain.pool import Pool

BALANCES = ("allowance", "allowance_used", "purchased", "purchased_used", "debt")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSums:
    """What a pool's lines come to; `held` is the sum of theirs."""

    lines: int = 0
    first: int = 0
    last: int = 0
    allowance: int = 0
    allowance_used: int = 0
    purchased: int = 0
    purchased_used: int = 0
    debt: int = 0
    held: int = 0

    def plus(self, later: "LedgerSums") -> "LedgerSums":
        """With lines that come after these."""
        names = ("lines", *BALANCES, "held")
        return LedgerSums(
            first=self.first if self.lines else later.first,
            last=later.last,
            **{name: getattr(self, name) + getattr(later, name) for name in names},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAudit:
    """A pool, its lines' sums, and what its open reservations hold, of one moment."""

    key: PoolKey
    pool: Pool | None
    sums: LedgerSums
    held: int


def name_of(key: PoolKey) -> str:
    """A pool as a human reads it."""
    return f"pool {key.owner} at {key.provider}"


def pool_differences(audit: PoolAudit) -> Iterator[Difference]:
    """Gaps in the lines, balances that are not their sums, holds that are not the lines'."""
    subject, pool, sums = name_of(audit.key), audit.pool, audit.sums
    if pool is None:
        yield Difference(
            kind=Mismatch.POOL_MISSING,
            subject=subject,
            expected=f"a pool for {sums.lines} lines of the ledger",
            found="none",
        )
        return
    if (sums.lines, sums.first, sums.last) != (pool.seq, min(1, pool.seq), pool.seq):
        yield Difference(
            kind=Mismatch.LEDGER_GAP,
            subject=subject,
            expected=f"lines 1 to {pool.seq} without a gap",
            found=f"{sums.lines} lines from {sums.first} to {sums.last}",
        )
    for name in BALANCES:
        said, summed = getattr(pool, name), getattr(sums, name)
        if said != summed:
            yield Difference(
                kind=Mismatch.BALANCE,
                subject=subject,
                expected=f"{name} {summed} by the ledger",
                found=f"{name} {said}",
            )
    if audit.held != sums.held:
        yield Difference(
            kind=Mismatch.HELD,
            subject=subject,
            expected=f"{sums.held} tokens on hold by the ledger",
            found=f"{audit.held} in open reservations",
        )
