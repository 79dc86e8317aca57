"""One use, or refused use, of tokens."""

from collections.abc import Iterator
from dataclasses import dataclass

# Sums over millions of events of this size still fit 64 bits.
MOST_TOKENS = 10**12
# The last microsecond that RFC 3339 can write.
LAST_US = 253_402_300_799_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """An event as it is kept; `event_id` names it for ever.

    `at_us` is in microseconds since the epoch, UTC. Several events may share
    one. Tokens were charged when allowed, else asked for.
    """

    event_id: str
    user_id: str
    org_id: str | None = None
    provider: str
    tokens: int
    allowed: bool
    reason: str = ""
    at_us: int

    def faults(self) -> Iterator[tuple[str, str]]:
        """What no store can hold or sum: field and message."""
        if not 0 <= self.tokens <= MOST_TOKENS:
            yield "tokens", f"must be between 0 and {MOST_TOKENS}"
        if not 0 <= self.at_us <= LAST_US:
            yield "timestamp", "must lie between the years 1970 and 9999"
