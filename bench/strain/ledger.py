"""What callers were told against what the ledger says, by the ids of both.

The fault runs' own checker does the counting (tests/faults/checks.py). A consume is known to
its caller by its idempotency key and to the ledger by the id that svc_token keeps under that key.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Table, select

from bench.metering.ways import opened
from mesh.storage.database import Database
from svc_analytics.stores.sql import EVENTS
from svc_token.stores.tables import IDEMPOTENCY_KEYS, LEDGER, OUTBOX, POOLS, RESERVATIONS
from tests.faults.books import Books, ProviderCall, Row
from tests.faults.checks import Finding, Wrong, check
from tests.faults.history import Kind, Op, Outcome

# A hold that nobody settles, and what a busy machine takes.
_QUIET_SECONDS = 60.0
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Violations, and tokens by which pools differ from what callers were told they spent."""

    findings: Sequence[Finding]
    lines: int
    astray: int

    def count(self, wrong: Wrong) -> int:
        """Of a kind."""
        return sum(each.wrong is wrong for each in self.findings)

    def __str__(self) -> str:
        """As the fault runs say it."""
        return " ".join(f"{wrong}={self.count(wrong)}" for wrong in Wrong)


def counted(ops: Sequence[Op], books: Books, allowance: int) -> Counted:
    """`allowance` is each user's own tokens; all that used a pool is in `ops`."""
    return Counted(
        findings=[*check(ops, books, allowance=allowance, watched=[]), *_strays(ops, books)],
        lines=len(books.ledger),
        astray=_astray(ops, books.pools),
    )


def _strays(ops: Iterable[Op], books: Books) -> Iterator[Finding]:
    """What was charged for nobody."""
    asked = {op.ref for op in ops}
    asked |= {call.request_id for call in books.calls if call.mark in asked}
    for line in books.ledger:
        if line["kind"] == "settle" and line["ref"] not in asked:
            text = f"{line['ref']} was charged {line['tokens']}, and nobody asked for it"
            yield Finding(wrong=Wrong.DOUBLE, text=text)


def _astray(ops: Iterable[Op], pools: Iterable[Row]) -> int:
    told: Counter[str] = Counter()
    for op in ops:
        if op.outcome is Outcome.DONE and op.kind in {Kind.CONSUME, Kind.SETTLE}:
            told[f"user:{op.user_id}"] += op.tokens
    used: Counter[str] = Counter()
    for pool in pools:
        used[pool["owner"]] += pool["allowance_used"] + pool["purchased_used"] + pool["debt"]
    return sum(abs(used[owner] - told[owner]) for owner in told.keys() | used.keys())


async def books_at_rest(token: str, analytics: str) -> Books:
    """Read past the services, at these URLs, once all is quiet, or after a minute."""
    until = time.monotonic() + _QUIET_SECONDS
    async with opened(token) as tokens, opened(analytics) as events:
        while True:
            books = await _books(tokens, events)
            if _quiet(books) or time.monotonic() > until:
                return books
            await asyncio.sleep(_LOOK_SECONDS)


def _quiet(books: Books) -> bool:
    """Nothing is held any more, and every event has arrived."""
    held = any(row["state"] == "RESERVED" for row in books.reservations)
    events = sum(line["event_id"] is not None for line in books.ledger)
    return not held and not books.waiting and len(books.events) >= events


async def _books(token: Database, analytics: Database) -> Books:
    rows = await _rows(token, POOLS, RESERVATIONS, LEDGER, OUTBOX, IDEMPOTENCY_KEYS)
    pools, reservations, ledger, waiting, keys = rows
    [events] = await _rows(analytics, EVENTS)
    return Books(
        pools=pools,
        reservations=reservations,
        ledger=ledger,
        waiting=waiting,
        events=events,
        calls=[ProviderCall(mark=row["key"], request_id=row["id"]) for row in keys],
    )


async def _rows(database: Database, *tables: Table) -> list[list[Row]]:
    async with database.scan() as connection:
        return [
            [dict(row) for row in (await connection.execute(select(table))).mappings()]
            for table in tables
        ]
