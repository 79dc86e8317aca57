"""What a rate bucket is, in fractions of tokens and seconds: written apart from what it checks.

A bucket is kept in whole micro-tokens and microseconds, each rounded so that it is
never emptier than it should be. `ideal` is the same bucket without any rounding.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from svc_token.domain.bucket import BucketRule, Strategy

GRAIN = Fraction(1, 10**6)
LATEST = 2**53 - 1
MOST_BACK = 10**15


def grains_up(amount: Fraction) -> Fraction:
    """The next whole micro-token or microsecond."""
    return ceil(amount / GRAIN) * GRAIN


@dataclass(frozen=True)
class Place:
    """When tokens were taken, since when the bucket had not been empty, and what was ahead."""

    at: Fraction
    busy: Fraction
    behind: Fraction


@dataclass(frozen=True)
class Seen:
    """An answer: exact tokens and seconds."""

    allowed: bool
    level: Fraction
    wait: Fraction
    taken: Place | None = None


@dataclass
class ExactBucket:
    """One bucket; times in seconds."""

    level: Fraction = Fraction(0)
    since: Fraction = Fraction(0)
    busy: Fraction = Fraction(0)
    back: Fraction = Fraction(0)
    ideal: Fraction = Fraction(0)
    ideal_since: Fraction = Fraction(0)
    writes: int = 0

    def change(self) -> None:
        """Another rule reads what is kept, and knows nothing of how it came about."""
        self.ideal, self.ideal_since, self.writes = self.level, self.since, 0

    def take(self, cost: int, now: Fraction, rule: BucketRule) -> Seen:
        self._write(now, rule)
        if self.level + cost > rule.capacity:
            return Seen(False, self.level, self._wait(cost, now, rule))
        if self.level == 0:
            self.busy, self.back = self.since, Fraction(0)
        taken = Place(max(now, self.since), self.busy, self.level + self.back)
        self.level += cost
        self.ideal += cost
        return Seen(True, self.level, Fraction(0), taken)

    def refund(self, cost: int, taken: Place, now: Fraction, rule: BucketRule) -> None:
        self._write(now, rule)
        if windowed(rule):
            mine = self._window(taken.at, rule) == self._window(self.since, rule)
            back = Fraction(cost if mine and taken.at <= self.since else 0)
        else:
            back = max(Fraction(0), cost - self._gone(taken, now, rule))
        back = min(self.level, back)
        self.back += back
        self.level -= back
        self.ideal = max(Fraction(0), self.ideal - back)
        if self.back > MOST_BACK:
            self.busy = self.back = Fraction(0)

    def _gone(self, taken: Place, now: Fraction, rule: BucketRule) -> Fraction:
        elapsed = max(now, self.since) - taken.at
        if elapsed <= 0:
            return Fraction(0)
        drained = floor(rate(rule) * elapsed / GRAIN) * GRAIN + GRAIN
        known = taken.busy > 0 and taken.busy == self.busy
        ahead = max(Fraction(0), taken.behind - self.back) if known else Fraction(0)
        return max(Fraction(0), drained - ahead)

    def peek(self, now: Fraction, rule: BucketRule) -> Seen:
        kept = self.level, self.since, self.busy, self.back
        self._settle(now, rule)
        wait = Fraction(0)
        if self.level + 1 > rule.capacity:
            wait = self._wait(1, now, rule)
        seen = Seen(wait == 0, self.level, wait)
        self.level, self.since, self.busy, self.back = kept
        return seen

    def _write(self, now: Fraction, rule: BucketRule) -> None:
        self.writes += 1
        self._settle(now, rule)
        if windowed(rule):
            self.ideal, self.ideal_since = self.level, self.since
        elif now > self.ideal_since:
            drained = rate(rule) * (now - self.ideal_since)
            self.ideal, self.ideal_since = max(Fraction(0), self.ideal - drained), now

    def _settle(self, now: Fraction, rule: BucketRule) -> None:
        if now <= self.since:
            return
        if windowed(rule):
            if self._window(self.since, rule) != self._window(now, rule):
                self._empty()
            self.since = now
            return
        left = self.level - rate(rule) * (now - self.since)
        if left <= 0:
            self._empty()
            self.since = now
            return
        kept = grains_up(left)
        # The moment at which so much was in it.
        self.since = grains_up(self.since + (self.level - kept) / rate(rule))
        self.level = kept

    def _empty(self) -> None:
        self.level = self.busy = self.back = Fraction(0)

    def _wait(self, cost: int, now: Fraction, rule: BucketRule) -> Fraction:
        if windowed(rule):
            window = self._window(max(now, self.since), rule)
            return (window + 1) * rule.window_us * GRAIN - now
        over = self.level + cost - rule.capacity
        waited = max(Fraction(0), now - self.since)
        return max(GRAIN, grains_up(over / rate(rule)) - waited)

    @staticmethod
    def _window(moment: Fraction, rule: BucketRule) -> int:
        return floor(moment / (rule.window_us * GRAIN))


def windowed(rule: BucketRule) -> bool:
    return rule.strategy is Strategy.FIXED_WINDOW


def rate(rule: BucketRule) -> Fraction:
    """Tokens a second."""
    return rule.rate * GRAIN
