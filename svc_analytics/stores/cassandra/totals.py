"""Exact sums over a window: rollups for whole hours where they count, else the events."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from svc_analytics.domain.window import Window
from svc_analytics.stores.cassandra.calendar import hour_window, overlap, touches, within
from svc_analytics.stores.cassandra.marks import MarkedHours
from svc_analytics.stores.cassandra.rollups import Rollups
from svc_analytics.stores.cassandra.session import CassandraSession, together
from svc_analytics.stores.cassandra.shards import add_hours
from svc_analytics.stores.cassandra.sums import Adder, Rollup


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowTotals:
    """Adds up a provider's window, of all users or of one."""

    session: CassandraSession
    hours: MarkedHours
    rollups: Rollups

    async def add(self, provider: str, window: Window, user: str | None, adder: Adder) -> None:
        """Adds what lies in the window."""
        days = [day for day in await self.hours.days(provider) if touches(window, day)]
        if user is None and adder.users:
            # Of very many users a day's rollups are large.
            for day in days:
                await self._add_day(provider, day, window, adder)
            return
        if user is None:
            await together(self._add_day(provider, day, window, adder) for day in days)
            return
        await together(
            self.session.pages(
                adder.add_uses,
                "uses_of_user",
                *(user, provider, day, window.start_us, window.end_us),
            )
            for day in days
        )

    async def _add_day(self, provider: str, day: int, window: Window, adder: Adder) -> None:
        marked = await self.hours.of_day(provider, day)
        inside = [hour for hour in marked if overlap(window, hour_window(hour))]
        whole = [hour for hour in inside if _whole(hour, window, adder)]
        found: Mapping[int, Rollup] = {}
        if whole:
            found = await self.rollups.of_day(provider, day, users=adder.users)
        counts = {
            hour: found[hour]
            for hour in whole
            if hour in found and found[hour].marks == marked[hour].marks
        }
        for hour in whole:
            if hour not in counts:
                self.rollups.missing((provider, hour))
        if adder.users:
            # A month of them is millions of numbers, and the event loop has others to serve.
            await asyncio.to_thread(_add_rollups, adder, counts)
        else:
            _add_rollups(adder, counts)
        left = [hour for hour in inside if hour not in counts]
        await add_hours(self.session, provider, left, window, adder)


def _add_rollups(adder: Adder, rollups: Mapping[int, Rollup]) -> None:
    for hour, rollup in rollups.items():
        adder.add_hour(hour_window(hour), rollup)


def _whole(hour: int, window: Window, adder: Adder) -> bool:
    span = hour_window(hour)
    return within(window, span) and adder.holds(span)
