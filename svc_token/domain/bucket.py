"""Rate buckets in integers: micro-tokens and microseconds, no rounding in the caller's favour.

The leaky bucket, taken as a meter (ITU-T I.371's GCRA in its bucket form), and
the token bucket (RFC 2697's) are each other's mirror: what one has filled, the
other has spent. They share one arithmetic here; a fixed window forgets
everything when it ends.
"""

from dataclasses import dataclass
from enum import StrEnum

MICRO = 1_000_000
# Counted exactly by a Redis script, with as much again in the bucket.
MOST_BACK = 10**15 * MICRO


class Strategy(StrEnum):
    """How a bucket empties."""

    LEAKY_BUCKET = "LEAKY_BUCKET"
    FIXED_WINDOW = "FIXED_WINDOW"
    TOKEN_BUCKET = "TOKEN_BUCKET"  # noqa: S105 a strategy's name


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRule:
    """`capacity` in tokens, `rate` in micro-tokens a second, `window_us` of FIXED_WINDOW."""

    strategy: Strategy
    capacity: int
    rate: int
    window_us: int


@dataclass(frozen=True, slots=True)
class Level:
    """What is in a bucket, in micro-tokens, as of a moment.

    It does not say by which rule it was filled. After a change of rule it is read by
    the new one, as if that had filled it at the moment of the last call: it drains
    from then on, or counts in that moment's window. So no change is a refill, and
    none keeps anybody out for longer than the new rule does.

    `since_us` is the moment from which on it has not been empty, 0 where that is not
    known, and `back` the micro-tokens that were put back since.
    """

    used: int = 0
    at_us: int = 0
    since_us: int = 0
    back: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """When a bucket gave tokens, and what they are behind; that is what a refund goes by.

    `behind` is what was in the bucket and what had been put back, in micro-tokens, since
    the bucket's `since_us`. Without these two they are taken as the next to drain, which
    is never too little.
    """

    at_us: int
    since_us: int = 0
    behind: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer at a moment, in tokens; `wait_us` until the same would fit, 0 when it did.

    `taken` is None when nothing was: it did not fit, or no bucket could be asked.
    """

    at_us: int
    allowed: bool
    capacity: int
    used: int
    remaining: int
    wait_us: int
    taken: Taken | None = None

    @property
    def wait_seconds(self) -> int:
        """`wait_us` in whole seconds, rounded up."""
        return -(-self.wait_us // MICRO)


def settle_to(level: Level, now_us: int, rule: BucketRule) -> Level:
    """The level at a later moment, with nothing taken. A clock that went back changes nothing."""
    if now_us <= level.at_us:
        return level
    if rule.strategy is Strategy.FIXED_WINDOW:
        return _at(level, now_us) if level.at_us >= _start(now_us, rule) else Level(0, now_us)
    drained, rest = divmod(rule.rate * (now_us - level.at_us), MICRO)
    if drained >= level.used:
        return Level(0, now_us)
    # The time that made no whole micro-token yet still counts, or a slow bucket would
    # drain the slower the more often it is asked.
    return _at(level, now_us - rest // rule.rate, drained)


def _at(level: Level, at_us: int, drained: int = 0) -> Level:
    return Level(level.used - drained, at_us, level.since_us, level.back)


def drained_us(level: Level, rule: BucketRule) -> int:
    """The moment from which on the bucket is as good as a new one."""
    if rule.strategy is Strategy.FIXED_WINDOW:
        return _start(level.at_us, rule) + rule.window_us
    return level.at_us - (-level.used * MICRO // rule.rate)


def _start(moment_us: int, rule: BucketRule) -> int:
    """When the window of a moment began."""
    return moment_us - moment_us % rule.window_us


def take(level: Level, cost: int, now_us: int, rule: BucketRule) -> tuple[Level, Decision]:
    """Takes `cost` tokens if they fit, else nothing. Raises ValueError past the capacity."""
    check_cost(cost, rule)
    level = settle_to(level, now_us, rule)
    wait_us = _wait(level, cost, now_us, rule)
    if wait_us:
        return level, _decision(level, now_us, rule, wait_us)
    if not level.used:
        level = Level(0, level.at_us, level.at_us)
    place = Taken(max(now_us, level.at_us), level.since_us, level.used + level.back)
    filled = Level(level.used + cost * MICRO, level.at_us, level.since_us, level.back)
    return filled, _decision(filled, now_us, rule, 0, place)


def check_cost(cost: int, rule: BucketRule) -> None:
    """Raises ValueError for what no wait would make fit."""
    if cost > rule.capacity:
        raise ValueError(f"{cost} tokens never fit a bucket of {rule.capacity}")


def uncounted(now_us: int, rule: BucketRule) -> Decision:
    """What is said when no bucket could be asked and the call goes on: it is told as empty."""
    return Decision(
        at_us=now_us,
        allowed=True,
        capacity=rule.capacity,
        used=0,
        remaining=rule.capacity,
        wait_us=0,
    )


def refund(level: Level, cost: int, taken: Taken, now_us: int, rule: BucketRule) -> Level:
    """Puts back what a `take` took, or a part of it, but for what may have drained since.

    Drained twice, it would be room for a burst above the capacity: the bucket would be
    emptier than if the tokens had never been in it. A window that has ended owes nothing.
    """
    level = settle_to(level, now_us, rule)
    if rule.strategy is Strategy.FIXED_WINDOW:
        gone = 0 if _start(level.at_us, rule) <= taken.at_us <= level.at_us else cost * MICRO
    else:
        gone = _gone(level, taken, now_us, rule)
    put = min(level.used, max(0, cost * MICRO - gone))
    since_us, back = level.since_us, level.back + put
    if back > MOST_BACK:
        since_us = back = 0
    return Level(level.used - put, level.at_us, since_us, back)


def _gone(level: Level, taken: Taken, now_us: int, rule: BucketRule) -> int:
    """The most micro-tokens that can have drained of what was taken.

    First in, first out: what it is behind goes first, unless it has been put back. Which
    of what was put back had been ahead nobody knows, so all of it is taken as such.
    """
    # A clock that went back is behind what has drained.
    elapsed = max(now_us, level.at_us) - taken.at_us
    if elapsed <= 0:
        return 0
    # One more for what is rounded.
    gone = rule.rate * elapsed // MICRO + 1
    if taken.since_us and taken.since_us == level.since_us:
        gone -= max(0, taken.behind - level.back)
    return max(0, gone)


def peek(level: Level, now_us: int, rule: BucketRule) -> Decision:
    """How the bucket stands for a request of one token, which is not taken."""
    level = settle_to(level, now_us, rule)
    return _decision(level, now_us, rule, _wait(level, 1, now_us, rule))


def _wait(level: Level, cost: int, now_us: int, rule: BucketRule) -> int:
    over = level.used + (cost - rule.capacity) * MICRO
    if over <= 0:
        return 0
    if rule.strategy is Strategy.FIXED_WINDOW:
        return _start(max(level.at_us, now_us), rule) + rule.window_us - now_us
    waited = max(0, now_us - level.at_us)
    return max(1, -(-over * MICRO // rule.rate) - waited)


def _decision(
    level: Level, now_us: int, rule: BucketRule, wait_us: int, taken: Taken | None = None
) -> Decision:
    used = min(rule.capacity, -(-level.used // MICRO))
    return Decision(
        at_us=now_us,
        allowed=wait_us == 0,
        capacity=rule.capacity,
        used=used,
        remaining=rule.capacity - used,
        wait_us=wait_us,
        taken=taken,
    )
