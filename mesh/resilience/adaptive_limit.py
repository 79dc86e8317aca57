"""A bound on what is in flight that follows how late the event loop is.

What waits for others costs no CPU, and thousands may; what hurts is the loop's own
queue, which no fixed number knows. Sources: Netflix, "Performance Under Load" (limits
that adapt); Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 2012 (only a
delay that stands is congestion); Zhou et al., "Overload Control for Scaling WeChat
Microservices", SoCC 2018 (time in the queue as the signal, refusals at the door).
"""

from collections.abc import Callable

# On average a timer is late by half a turn of the loop, and what is refused waits for one.
TARGET_SECONDS = 0.015
# Enough to keep a core busy beside other work on it; with less, all wait for each other.
FLOOR = 64
# What an idle process allows, and is back at in less than a second.
REST = 128
_LEAST_KEPT, _MOST_KEPT = 0.5, 0.9
_GROWN, _SHRUNK = 0.25, 0.125


class AdaptiveLimit:
    """Whoever lets work in counts it: `in_flight` up and down, and `most` with it.

    At or past `limit` it refuses, and counts that in `refused`. The numbers are bare, as
    that is done for every request. `maximum` is asked at each tick, and bounds the limit
    whatever the loop says.
    """

    __slots__ = ("_before", "_maximum", "_refused", "in_flight", "limit", "most", "refused")

    def __init__(self, maximum: Callable[[], int]) -> None:
        self._maximum = maximum
        self._before = 0.0
        self._refused = 0
        self.limit = min(REST, maximum())
        self.in_flight = self.most = self.refused = 0

    def tick(self, late: float) -> None:
        """Adapts to how late the loop was, in seconds; at even times, about 50 ms."""
        # One pause, as of a collector or of another process, is no congestion.
        stood, worst = sorted((late, self._before))
        limit = self.limit
        if stood > TARGET_SECONDS:
            limit = min(limit, self._less(stood))
        elif worst <= TARGET_SECONDS:
            limit = self._more(1 - worst / TARGET_SECONDS)
        self.limit = min(limit, self._maximum())
        self._before, self._refused, self.most = late, self.refused, self.in_flight

    def _less(self, late: float) -> int:
        # Of what is in flight, not of the limit: what only waits is not counted out twice.
        kept = max(_LEAST_KEPT, min(_MOST_KEPT, TARGET_SECONDS / late))
        return max(FLOOR, int(self.most * kept))

    def _more(self, slack: float) -> int:
        step = max(1, int(self.limit * _GROWN * slack))
        if self.refused > self._refused:
            # What is in flight has just been fine.
            return max(self.limit, self.most) + step
        # What would be, is foreseen for twice as much at most; beyond, nobody knows any more.
        fine = max(REST, int(self.most * (1 + slack)))
        if self.limit < fine:
            return min(fine, self.limit + step)
        return max(fine, self.limit - int(self.limit * _SHRUNK))
