"""For how long what is written now is kept."""

import time
from dataclasses import dataclass

DAY_SECONDS = 86_400
# Marks, days and ids outlive the events, or these would be there and not be found.
LONGER_SECONDS = 2 * DAY_SECONDS
# Cassandra refuses what would expire after 2038-01-19T03:14:06Z; a day is for clocks that differ.
_LAST_SECOND = 2**31 - 2 - DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Lifetime:
    """TTLs in seconds: `kept` for events, as far as Cassandra can count by now."""

    kept: int

    @property
    def events(self) -> int:
        """Of events, and of what is added up from them."""
        return min(self.kept, _left() - LONGER_SECONDS)

    @property
    def traces(self) -> int:
        """Of what leads to them."""
        return self.events + LONGER_SECONDS


def _left() -> int:
    return _LAST_SECOND - int(time.time())
