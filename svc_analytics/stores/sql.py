"""Usage events in an SQL database, through SQLAlchemy Core.

Sums are scans of a covering index over exactly the window asked for: nothing
is pre-aggregated, so that any edge is exact and late events count at once.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from mesh.failpoints import failpoint
from mesh.storage import sql
from mesh.storage.database import Database
from mesh.storage.schema import Schema
from mesh.storage.upsert import INSERT
from svc_analytics.domain.audit import EventKey, HourCount
from svc_analytics.domain.totals import ProviderUsage, Summary, Totals, UserTotals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import MINUTE_US, Buckets, Window

MIGRATIONS = Path(__file__).parents[1] / "migrations"
METADATA = sa.MetaData()
EVENTS = sa.Table(
    "usage_events",
    METADATA,
    sa.Column("event_id", sa.String(36), primary_key=True),
    sa.Column("user_id", sa.String(36), nullable=False),
    sa.Column("org_id", sa.String(36)),
    sa.Column("provider", sa.String(64), nullable=False),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("allowed", sa.Boolean, nullable=False),
    sa.Column("reason", sa.String(100), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Index("usage_by_provider", "provider", "at_us", "allowed", "tokens", "user_id"),
    sa.Index("usage_by_user", "user_id", "provider", "at_us", "allowed", "tokens"),
    sa.Index("usage_by_time", "at_us", "provider", "allowed", "tokens"),
)
_APPENDING = failpoint("usage.append.before")
_APPENDED = failpoint("usage.commit.before")
_KEPT = failpoint("usage.commit.after")
_COLUMNS = EVENTS.c
_NAMES = tuple(_COLUMNS.keys())
_HOUR_US = 60 * MINUTE_US
_ENFORCED = (_COLUMNS.allowed, _COLUMNS.reason == "")
_EVENTS_COUNT = sa.func.count().label("events")
_DENIED = sa.func.sum(sa.case((_COLUMNS.allowed, 0), else_=1)).label("denied")
_TOKENS = sa.func.sum(sa.case((_COLUMNS.allowed, _COLUMNS.tokens), else_=0)).label("tokens")


class SqlUsageStore:
    """The port `UsageStore` over one table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, events: Sequence[UsageEvent]) -> int:
        """Keeps the events, all or none; how many were new."""
        # In id order, so that two writers of the same events cannot wait for each other.
        rows = [_row(event) for event in sorted(events, key=lambda event: event.event_id)]
        if not rows:
            return 0
        _APPENDING()
        async with self._database.write() as connection:
            statement = (
                INSERT[connection.dialect.name](EVENTS)
                .on_conflict_do_nothing(index_elements=[_COLUMNS.event_id])
                .returning(_COLUMNS.event_id)
            )
            new = len((await connection.execute(statement, rows)).all())
            _APPENDED()
        _KEPT()
        return new

    async def newest(
        self, provider: str, *, user: str | None = None, limit: int
    ) -> Sequence[UsageEvent]:
        """The latest events, newest first."""
        query = (
            sa.select(EVENTS)
            .where(*_of(provider, user))
            .order_by(_COLUMNS.at_us.desc(), _COLUMNS.event_id.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [UsageEvent(**row) for row in rows]

    async def summary(
        self, provider: str, window: Window, *, user: str | None = None, top: int
    ) -> Summary:
        """The window's totals, in one pass: the sums over all users ride on the top rows."""
        users = (
            sa.select(_COLUMNS.user_id, _EVENTS_COUNT, _DENIED, _TOKENS)
            .where(*_of(provider, user), *_within(window))
            .group_by(_COLUMNS.user_id)
            .subquery()
        )
        query = (
            sa.select(
                users,
                sa.func.count().over().label("all_users"),
                sa.func.sum(users.c.events).over().label("all_events"),
                sa.func.sum(users.c.denied).over().label("all_denied"),
                sa.func.sum(users.c.tokens).over().label("all_tokens"),
            )
            .order_by(users.c.tokens.desc(), users.c.events.desc(), users.c.user_id)
            .limit(top)
        )
        return _summary(await self._rows(query))

    async def by_bucket(
        self, provider: str, buckets: Buckets, *, user: str | None = None
    ) -> Mapping[int, Totals]:
        """The totals of each bucket that holds an event."""
        width = sa.literal(buckets.width_us, sa.BigInteger)
        index = ((_COLUMNS.at_us - buckets.window.start_us) // width).label("bucket")
        query = (
            sa.select(index, _EVENTS_COUNT, _DENIED, _TOKENS)
            .where(*_of(provider, user), *_within(buckets.window))
            .group_by(index)
        )
        return {int(row.bucket): _totals(row) for row in await self._rows(query)}

    async def by_provider(
        self, window: Window, *, user: str | None = None
    ) -> Sequence[ProviderUsage]:
        """The totals of each provider that has an event in the window."""
        last = sa.func.max(_COLUMNS.at_us).label("last_us")
        query = (
            sa.select(_COLUMNS.provider, last, _EVENTS_COUNT, _DENIED, _TOKENS)
            .where(*_of(None, user), *_within(window))
            .group_by(_COLUMNS.provider)
        )
        return [
            ProviderUsage(provider=row.provider, totals=_totals(row), last_us=row.last_us)
            for row in await self._rows(query)
        ]

    async def delete_before(self, cutoff_us: int, *, limit: int) -> int:
        """Deletes the oldest events before the cutoff; how many."""
        oldest = (
            sa.select(_COLUMNS.event_id)
            .where(_COLUMNS.at_us < cutoff_us)
            .order_by(_COLUMNS.at_us)
            .limit(limit)
        )
        async with self._database.write() as connection:
            query = sa.delete(EVENTS).where(_COLUMNS.event_id.in_(oldest))
            return (await connection.execute(query)).rowcount

    async def find(self, keys: Sequence[EventKey]) -> Sequence[UsageEvent]:
        """Those that are kept under all of their key."""
        ids = [key.event_id for key in keys]
        query = sa.select(EVENTS).where(_COLUMNS.event_id.in_(ids))
        rows = [row._mapping for row in await self._scanned(query)]  # noqa: SLF001 a row's public way
        wanted = set(keys)
        return [event for row in rows if EventKey.of(event := UsageEvent(**row)) in wanted]

    async def known(self, event_ids: Collection[str]) -> frozenset[str]:
        """Which of these ids are kept."""
        query = sa.select(_COLUMNS.event_id).where(_COLUMNS.event_id.in_(event_ids))
        return frozenset(row.event_id for row in await self._scanned(query))

    async def enforced_hours(self, window: Window) -> Sequence[HourCount]:
        """Exact counts of each hour."""
        hour = (_COLUMNS.at_us // sa.literal(_HOUR_US, sa.BigInteger)).label("hour")
        query = (
            sa.select(_COLUMNS.provider, hour, _EVENTS_COUNT, _TOKENS)
            .where(*_ENFORCED, *_within(window))
            .group_by(_COLUMNS.provider, hour)
        )
        return [
            HourCount(
                provider=row.provider,
                hour=int(row.hour),
                events=int(row.events),
                tokens=int(row.tokens),
            )
            for row in await self._scanned(query)
        ]

    async def enforced(
        self, provider: str, window: Window, *, after_id: str = "", limit: int
    ) -> Sequence[UsageEvent]:
        """These events, oldest first."""
        later = sa.or_(_COLUMNS.at_us > window.start_us, _COLUMNS.event_id > after_id)
        query = (
            sa.select(EVENTS)
            .where(*_of(provider, None), *_ENFORCED, *_within(window), later)
            .order_by(_COLUMNS.at_us, _COLUMNS.event_id)
            .limit(limit)
        )
        # No scan: a page here wants the few of each microsecond sorted.
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [UsageEvent(**row) for row in rows]

    async def ping(self) -> None:
        """Raises AppError when the database does not answer."""
        await self._database.ping()

    async def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        return await _all(self._database.read(), query)

    async def _scanned(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """For a reconciliation, which takes its time and nobody's connection."""
        return await _all(self._database.scan(), query)


async def _all(
    connecting: AbstractAsyncContextManager[AsyncConnection], query: sa.Select[Any]
) -> Sequence[sa.Row[Any]]:
    async with connecting as connection:
        rows: Sequence[sa.Row[Any]] = (await connection.execute(query)).all()
        return rows


def _row(event: UsageEvent) -> dict[str, Any]:
    # dataclasses.asdict copies deeply: a fifth of a batch's time.
    return {name: getattr(event, name) for name in _NAMES}


def _of(provider: str | None, user: str | None) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if provider is not None:
        conditions.append(_COLUMNS.provider == provider)
    if user is not None:
        conditions.append(_COLUMNS.user_id == user)
    return conditions


def _within(window: Window) -> tuple[sa.ColumnElement[bool], ...]:
    return (_COLUMNS.at_us >= window.start_us, _COLUMNS.at_us < window.end_us)


def _totals(row: sa.Row[Any]) -> Totals:
    # PostgreSQL sums bigints as numeric.
    return Totals(events=int(row.events), denied=int(row.denied), tokens=int(row.tokens))


def _summary(rows: Sequence[sa.Row[Any]]) -> Summary:
    if not rows:
        return Summary()
    first = rows[0]
    return Summary(
        totals=Totals(
            events=int(first.all_events),
            denied=int(first.all_denied),
            tokens=int(first.all_tokens),
        ),
        unique_users=int(first.all_users),
        top_users=tuple(
            UserTotals(user_id=row.user_id, tokens=int(row.tokens), events=int(row.events))
            for row in rows
        ),
    )


@asynccontextmanager
async def open_store(url: str, **_retention: float) -> AsyncIterator[SqlUsageStore]:
    """The events in `sqlite:///path` or `postgresql://...`.

    Nothing expires here by itself: the retention is `delete_before`'s.
    """
    async with sql.open_database(url, service="analytics", folder=MIGRATIONS) as database:
        yield SqlUsageStore(database)


def open_schema(url: str) -> AbstractAsyncContextManager[Schema]:
    """The tables behind the URL, for `leaky migrate`."""
    return sql.open_schema(url, service="analytics", folder=MIGRATIONS)
