"""What the parts say when all is quiet: read past the services, from the databases."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """A line in the provider's own books: the mark in the prompt, the caller's request id."""

    mark: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Rows by table; `waiting` is what has not left the outbox."""

    pools: Sequence[Row] = ()
    reservations: Sequence[Row] = ()
    ledger: Sequence[Row] = ()
    sagas: Sequence[Row] = ()
    waiting: Sequence[Row] = ()
    payments: Sequence[Row] = ()
    events: Sequence[Row] = ()
    calls: Sequence[ProviderCall] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Where they are."""

    token: str
    stubs: str
    analytics: str

    async def books(self, calls: Sequence[ProviderCall]) -> Books:
        """Everything as it stands."""
        # One snapshot: a line and its balance belong together.
        async with (
            _connected(self.token) as token,
            token.transaction(isolation="repeatable_read", readonly=True),
        ):
            pools = await token.fetch("SELECT * FROM pools")
            reservations = await token.fetch("SELECT * FROM reservations")
            ledger = await token.fetch("SELECT * FROM ledger ORDER BY owner, provider, seq")
            sagas = await token.fetch("SELECT * FROM sagas")
            waiting = await token.fetch("SELECT seq, event_id, topic, parked FROM outbox")
        async with _connected(self.stubs) as stubs:
            payments = await stubs.fetch("SELECT * FROM payments")
        async with _connected(self.analytics) as analytics:
            events = await analytics.fetch("SELECT * FROM usage_events")
        return Books(
            pools=pools,
            reservations=reservations,
            ledger=ledger,
            sagas=sagas,
            waiting=waiting,
            payments=payments,
            events=events,
            calls=calls,
        )

    async def unfinished(self) -> str:
        """What keeps it from being quiet, in words; empty when nothing does."""
        async with _connected(self.token) as token, _connected(self.analytics) as analytics:
            left = {
                "open reservations": await token.fetchval(
                    "SELECT count(*) FROM reservations WHERE state = 'RESERVED'"
                ),
                "purchases under way": await token.fetchval(
                    "SELECT count(*) FROM sagas WHERE step <> 'NONE'"
                ),
                "events in the outbox": await token.fetchval("SELECT count(*) FROM outbox"),
                "events not in analytics": await token.fetchval(
                    "SELECT count(*) FROM ledger WHERE event_id IS NOT NULL"
                )
                - await analytics.fetchval("SELECT count(*) FROM usage_events WHERE allowed"),
            }
        return ", ".join(f"{count} {what}" for what, count in left.items() if count)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()
