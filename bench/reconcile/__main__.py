"""`python -m bench.reconcile`: reads a large ledger from end to end, and prints what that took."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench.metering.server import postgresql
from bench.metering.ways import TOPICS, opened
from bench.reconcile.generated import Group, queue, write
from mesh.clock import SystemClock
from mesh.settings import Live
from svc_token.domain.owner import OwnerKind
from svc_token.limits import LiveLimits
from svc_token.settings import TokenSettings
from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.stores import TokenStores
from svc_token.usecases.reconcile.comparison import Compared, Comparison
from svc_token.usecases.reconcile.members import CompareMembers
from svc_token.usecases.reconcile.outbox import CompareOutbox
from svc_token.usecases.reconcile.pools import ComparePools
from svc_token.usecases.reconcile.purchases import ComparePurchases
from svc_token.usecases.reconcile.reservations import CompareReservations

QUEUED = 1_000
MEMBERS = 100


@dataclass(slots=True)
class Statements:
    """How many there were, and how long the longest took, in seconds."""

    count: int = 0
    longest: float = 0.0
    _begun: list[float] = field(default_factory=list)

    def begin(self, *_: Any) -> None:
        """One is sent."""
        self._begun.append(time.perf_counter())

    def end(self, *_: Any) -> None:
        """Its answer is there."""
        self.count += 1
        self.longest = max(self.longest, time.perf_counter() - self._begun.pop())


def main() -> int:
    """0 when the books are found right."""
    parser = argparse.ArgumentParser(prog="bench.reconcile", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000, help="half of them one pool's")
    parser.add_argument("--url", default="", help="an empty database; default: one of each kind")
    given = parser.parse_args()
    with ExitStack() as stack:
        differences = 0
        for url in [given.url] if given.url else _databases(stack):
            differences += asyncio.run(_measure(url, given.lines))
    return 1 if differences else 0


def _databases(stack: ExitStack) -> Iterator[str]:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="leaky-bench-"))
    yield f"sqlite:///{folder}/token.db"
    yield stack.enter_context(postgresql()).url


async def _measure(url: str, lines: int) -> int:
    kind = url.partition(":")[0]
    begun = time.perf_counter()
    made = await _fill(url, lines)
    print(f"{kind}: {made} lines written in {time.perf_counter() - begun:.0f} s", flush=True)
    differences = 0
    async with TOKEN_STORES.open(url, topics=TOPICS) as stores:
        for comparison in _comparisons(stores):
            differences += await _compare(kind, comparison)
    return differences


async def _fill(url: str, lines: int) -> int:
    hot = Group(
        kind=OwnerKind.ORG,
        pools=1,
        windows=10,
        uses=max(1, lines // 40),
        purchases=max(1, lines // 2000),
        members=MEMBERS,
    )
    spread = Group(kind=OwnerKind.USER, pools=max(1, lines // 200), windows=2, uses=24, purchases=1)
    async with SCHEMAS.open(url) as schema:
        await schema.upgrade()
    async with opened(url) as database:
        for group in (hot, spread):
            await database.transact(partial(write, rows=group.rows()))
        await database.transact(partial(queue, topics=TOPICS, events=QUEUED))
    return hot.lines + spread.lines


def _comparisons(stores: TokenStores) -> tuple[Comparison, ...]:
    """Those that read svc_token's own tables; the others read them as CompareOutbox does."""
    audit, clock = stores.audit, SystemClock()
    limits = LiveLimits(Live.read(TokenSettings, {}))
    return (
        ComparePools(audit=audit),
        ComparePurchases(audit=audit),
        CompareMembers(audit=audit),
        CompareOutbox(audit=audit),
        CompareReservations(audit=audit, limits=limits, clock=clock),
    )


async def _compare(kind: str, comparison: Comparison) -> int:
    compared, differences = Compared(), 0
    begun = time.perf_counter()
    with _watched() as statements:
        async for difference in comparison(compared):
            differences += 1
            print(f"{difference.kind.value}: {difference.subject}", file=sys.stderr)
    print(
        f"{kind}: {comparison.what}: {time.perf_counter() - begun:.1f} s,"
        f" {statements.count} statements, the longest {statements.longest:.3f} s,"
        f" {differences} differences",
        flush=True,
    )
    return differences


@contextmanager
def _watched() -> Iterator[Statements]:
    statements = Statements()
    hooks = (("before_cursor_execute", statements.begin), ("after_cursor_execute", statements.end))
    for name, hook in hooks:
        event.listen(Engine, name, hook)
    try:
        yield statements
    finally:
        for name, hook in hooks:
            event.remove(Engine, name, hook)


if __name__ == "__main__":
    sys.exit(main())
