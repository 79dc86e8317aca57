"""What a read adds up: single events and whole hours, in any order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import orjson

from svc_analytics.domain.totals import Summary, Totals, UserTotals
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.stores.cassandra.marks import Marks

# at_us, user_id, tokens, allowed
Use = tuple[int, str, int, bool]


@dataclass(slots=True, kw_only=True)
class Sum:
    """Totals that grow; `last_us` is the latest moment in them."""

    events: int = 0
    denied: int = 0
    tokens: int = 0
    last_us: int = 0

    def use(self, at_us: int, tokens: int, *, allowed: bool) -> None:
        """Adds one event."""
        self.events += 1
        if allowed:
            self.tokens += tokens
        else:
            self.denied += 1
        self.last_us = max(self.last_us, at_us)

    def add(self, other: "Sum") -> None:
        """Adds what is added up already."""
        self.events += other.events
        self.denied += other.denied
        self.tokens += other.tokens
        self.last_us = max(self.last_us, other.last_us)

    def totals(self) -> Totals:
        """As they stand."""
        return Totals(events=self.events, denied=self.denied, tokens=self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """An hour's totals; each user's tokens and events as JSON, where they were asked for."""

    marks: Marks
    total: Sum
    users: str = "{}"


class Adder(Protocol):
    """What a read collects into."""

    users: bool

    def holds(self, hour: Window) -> bool:
        """Whether an hour inside the window read can be added as a whole."""
        ...

    def add_uses(self, uses: Iterable[Use]) -> None:
        """Adds events."""
        ...

    def add_hour(self, hour: Window, rollup: Rollup) -> None:
        """Adds a whole hour."""
        ...


class ByUser:
    """All and each user's."""

    users = True

    def __init__(self) -> None:
        self.total = Sum()
        self.by_user: dict[str, tuple[int, int]] = {}

    def holds(self, _hour: Window) -> bool:
        """Any."""
        return True

    def add_uses(self, uses: Iterable[Use]) -> None:
        """Adds events."""
        for at_us, user, tokens, allowed in uses:
            self.total.use(at_us, tokens, allowed=allowed)
            self._user(user, tokens if allowed else 0, 1)

    def add_hour(self, _hour: Window, rollup: Rollup) -> None:
        """Adds a whole hour."""
        self.total.add(rollup.total)
        for user, (tokens, events) in orjson.loads(rollup.users).items():
            self._user(user, tokens, events)

    def summary(self, top: int) -> Summary:
        """The totals with at most `top` users."""
        users = [
            UserTotals(user_id=user, tokens=tokens, events=events)
            for user, (tokens, events) in self.by_user.items()
        ]
        users.sort(key=lambda user: (-user.tokens, -user.events, user.user_id))
        return Summary(
            totals=self.total.totals(), unique_users=len(users), top_users=tuple(users[:top])
        )

    def _user(self, user: str, tokens: int, events: int) -> None:
        had_tokens, had_events = self.by_user.get(user, (0, 0))
        self.by_user[user] = (had_tokens + tokens, had_events + events)


class ByBucket:
    """Each bucket's."""

    users = False

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._sums: dict[int, Sum] = {}

    def holds(self, hour: Window) -> bool:
        """One that lies in one bucket."""
        return self._buckets.index(hour.start_us) == self._buckets.index(hour.end_us - 1)

    def add_uses(self, uses: Iterable[Use]) -> None:
        """Adds events."""
        for at_us, _, tokens, allowed in uses:
            self._sum(at_us).use(at_us, tokens, allowed=allowed)

    def add_hour(self, hour: Window, rollup: Rollup) -> None:
        """Adds a whole hour."""
        self._sum(hour.start_us).add(rollup.total)

    def totals(self) -> Mapping[int, Totals]:
        """Of each bucket that holds an event."""
        return {index: total.totals() for index, total in self._sums.items()}

    def _sum(self, at_us: int) -> Sum:
        return self._sums.setdefault(self._buckets.index(at_us), Sum())


class Whole:
    """One total over everything."""

    users = False

    def __init__(self) -> None:
        self.total = Sum()

    def holds(self, _hour: Window) -> bool:
        """Any."""
        return True

    def add_uses(self, uses: Iterable[Use]) -> None:
        """Adds events."""
        for at_us, _, tokens, allowed in uses:
            self.total.use(at_us, tokens, allowed=allowed)

    def add_hour(self, _hour: Window, rollup: Rollup) -> None:
        """Adds a whole hour."""
        self.total.add(rollup.total)
