"""Whole hours added up once, so that a month is not read event by event.

A rollup names the marks of its hour that were there before the events were
read. It counts for as long as the marks are the same, so a late event, a
second writer or a crash makes it worthless, never wrong; it is then made anew
from the events and overwrites the old one.
"""

import asyncio
import time
from collections.abc import Mapping

import orjson
import structlog

from mesh.errors import AppError
from svc_analytics.domain.window import SECOND_US
from svc_analytics.stores.cassandra.calendar import HOURS, hour_window
from svc_analytics.stores.cassandra.lifetime import Lifetime
from svc_analytics.stores.cassandra.marks import Hour, MarkedHours, Marks
from svc_analytics.stores.cassandra.session import CassandraSession, Row
from svc_analytics.stores.cassandra.shards import add_hours
from svc_analytics.stores.cassandra.sums import ByUser, Rollup, Sum

# An hour is added up when it has been quiet for so long: much longer than a
# write can take whose writer has died between its first mark and its last.
SETTLE_SECONDS = 30.0
TURN_SECONDS = 5.0
# What users may take of a row: the server has a bound for a row (16 MiB by default), and the
# frame that a day of them comes in has one, too.
MOST_BYTES = 8 * 1024 * 1024
log = structlog.get_logger("rollups")


class Rollups:
    """The table usage_rollups, and the loop that fills it."""

    def __init__(
        self, session: CassandraSession, hours: MarkedHours, *, life: Lifetime, settle: float
    ) -> None:
        self._session = session
        self._hours = hours
        self._life = life
        self._settle = settle
        self._due: dict[Hour, float] = {}

    async def of_day(self, provider: str, day: int, *, users: bool) -> Mapping[int, Rollup]:
        """The day's rollups by their hour, whether they still count or not.

        With users, those that have too many of them are not among these.
        """
        name = "rollups_of_day" if users else "totals_of_day"
        rows = await self._session.rows(name, provider, day)
        return {row[0]: _rollup(row) for row in rows if not users or row[-1]}

    def changed(self, hour: Hour) -> None:
        """Its events have just changed: it waits until it is quiet."""
        self._due[hour] = time.monotonic() + self._settle

    def missing(self, hour: Hour) -> None:
        """A reader had to add up its events."""
        self._due.setdefault(hour, time.monotonic())

    async def run(self) -> None:
        """Adds up what is due, until cancelled."""
        while True:
            await asyncio.sleep(TURN_SECONDS)
            await self.turn()

    async def turn(self) -> None:
        """Adds up each hour that is due; one after the other, for nobody waits for it."""
        now = time.monotonic()
        for hour in [hour for hour, due in self._due.items() if due <= now]:
            del self._due[hour]
            try:
                await self.add_up(*hour)
            except AppError as error:
                log.warning("hours wait to be added up", reason=error.outcome.name)
                self.changed(hour)
                return
            except Exception:
                # Reads go on without it, and whoever reads it has it tried again.
                log.exception("an hour cannot be added up", provider=hour[0], hour=hour[1])

    async def add_up(self, provider: str, hour: int) -> None:
        """Makes the hour's rollup unless there is one that counts, or the hour is not quiet."""
        marked = await self._hours.of_hour(provider, hour)
        if marked is None:
            return
        if marked.at_us > time.time_ns() // 1_000 - round(self._settle * SECOND_US):
            self.changed((provider, hour))
        elif not await self._counts(provider, hour, marked.marks):
            sums = ByUser()
            await add_hours(self._session, provider, [hour], hour_window(hour), sums)
            await self._put(provider, hour, marked.marks, sums)

    async def _counts(self, provider: str, hour: int, marks: Marks) -> bool:
        rows = await self._session.rows("rollup_marks", provider, hour // HOURS, hour)
        return any(dict(found) == marks for (found,) in rows)

    async def _put(self, provider: str, hour: int, marks: Marks, sums: ByUser) -> None:
        total = sums.total
        by_user = orjson.dumps(sums.by_user)
        users = by_user.decode() if len(by_user) <= MOST_BYTES else None
        values = (total.events, total.denied, total.tokens, total.last_us, users)
        row = (provider, hour // HOURS, hour, marks, *values, self._life.events)
        await self._session.write(("put_rollup", row))


def _rollup(row: Row) -> Rollup:
    _, marks, events, denied, tokens, last_us, *users = row
    total = Sum(events=events, denied=denied, tokens=tokens, last_us=last_us)
    return Rollup(marks=dict(marks), total=total, users=users[0] if users else "{}")
