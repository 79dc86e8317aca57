"""Which hours hold events, and whether they have changed since.

Whoever changes an hour's events touches it before and after. Whoever reads the
marks and then the events has all that was finished before; if the marks are
still the same later, so are the finished events. Each writer has a row of its
own, so that no clock of another writer can hide its mark.
"""

import itertools
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from svc_analytics.stores.cassandra.calendar import HOURS
from svc_analytics.stores.cassandra.lifetime import Lifetime
from svc_analytics.stores.cassandra.session import CassandraSession, Row

Marks = Mapping[str, int]
# A provider's hour, counted from the epoch.
Hour = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HourMarks:
    """Each writer's mark, and when by its clock the last was made, in microseconds."""

    marks: Marks
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedHours:
    """The tables usage_days and usage_hours."""

    session: CassandraSession
    life: Lifetime
    writer: str = field(default_factory=lambda: uuid.uuid4().hex)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def touch(self, hours: Iterable[Hour]) -> None:
        """Says that the hours' events are about to change, or have just changed."""
        hours = sorted(hours)
        mark, ttl = next(self._numbers), self.life.traces
        days = sorted({(provider, hour // HOURS) for provider, hour in hours})
        await self.session.write(
            *(("put_day", (provider, day, ttl)) for provider, day in days),
            *(
                ("put_mark", (provider, hour // HOURS, hour, self.writer, mark, ttl))
                for provider, hour in hours
            ),
        )

    async def days(self, provider: str) -> list[int]:
        """The days that may hold events of the provider, the last first."""
        rows = await self.session.rows("days_of_provider", provider)
        return sorted((day for (day,) in rows), reverse=True)

    async def all_days(self) -> list[tuple[str, int]]:
        """Every provider with each of its days."""
        rows = await self.session.rows("days")
        return [(provider, day) for provider, day in rows]

    async def of_day(self, provider: str, day: int) -> Mapping[int, HourMarks]:
        """The marks of the day's hours that may hold events."""
        return _by_hour(await self.session.rows("marks_of_day", provider, day))

    async def of_hour(self, provider: str, hour: int) -> HourMarks | None:
        """The hour's marks; None when it holds nothing."""
        rows = await self.session.rows("marks_of_hour", provider, hour // HOURS, hour)
        return _by_hour(rows).get(hour)


def _by_hour(rows: Iterable[Row]) -> Mapping[int, HourMarks]:
    marks: defaultdict[int, dict[str, int]] = defaultdict(dict)
    latest: defaultdict[int, int] = defaultdict(int)
    for hour, writer, mark, at_us in rows:
        marks[hour][writer] = mark
        latest[hour] = max(latest[hour], at_us)
    return {hour: HourMarks(marks=marks[hour], at_us=latest[hour]) for hour in marks}
