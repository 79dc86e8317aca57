"""Rate buckets in integers: micro-tokens and microseconds, no rounding in the caller's favour.

The leaky bucket, taken as a meter (ITU-T I.371's GCRA in its bucket form), and
the token bucket (RFC 2697's) are each other's mirror: what one has filled, the
other has spent. They share one arithmetic here; a fixed window forgets
everything when it ends.
"""

from dataclasses import dataclass
from enum import StrEnum

MICRO = 1_000_000
# The year 2255; what a Redis script counts exactly.
FAR_US = 2**53 - 1


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
    """

    used: int = 0
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer at a moment, in tokens; `wait_us` until the same would fit, 0 when it did.

    `counted` is False when no bucket could be asked: then nothing was taken.
    `drains_us` is when what was taken begins to drain, behind what was in the bucket.
    """

    at_us: int
    allowed: bool
    capacity: int
    used: int
    remaining: int
    wait_us: int
    counted: bool = True
    drains_us: int = 0

    @property
    def wait_seconds(self) -> int:
        """`wait_us` in whole seconds, rounded up."""
        return -(-self.wait_us // MICRO)


def settle_to(level: Level, now_us: int, rule: BucketRule) -> Level:
    """The level at a later moment, with nothing taken. A clock that went back changes nothing."""
    if now_us <= level.at_us:
        return level
    if rule.strategy is Strategy.FIXED_WINDOW:
        return Level(level.used if level.at_us >= _start(now_us, rule) else 0, now_us)
    drained, rest = divmod(rule.rate * (now_us - level.at_us), MICRO)
    if drained >= level.used:
        return Level(0, now_us)
    # The time that made no whole micro-token yet still counts, or a slow bucket would
    # drain the slower the more often it is asked.
    return Level(level.used - drained, now_us - rest // rule.rate)


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
    taken = Level(level.used + cost * MICRO, level.at_us)
    return taken, _decision(taken, now_us, rule, 0, drains_us=_drains_us(level, now_us, rule))


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
        counted=False,
    )


def refund(level: Level, cost: int, taken_us: int, now_us: int, rule: BucketRule) -> Level:
    """Puts back what a `take` took at a moment, but for what may have drained since.

    Drained twice, it would be room for a burst above the capacity. A window that has
    ended owes nothing. What is undone at once may tell `drains_us` as the moment: then
    all of it is put back that is in the bucket, of any number of takes at once.
    """
    level = settle_to(level, now_us, rule)
    if rule.strategy is Strategy.FIXED_WINDOW:
        gone = 0 if _start(level.at_us, rule) <= taken_us <= level.at_us else cost * MICRO
    else:
        # One more for what is rounded.
        gone = rule.rate * (now_us - taken_us) // MICRO + 1 if now_us > taken_us else 0
    back = max(0, cost * MICRO - gone)
    return Level(max(0, level.used - back), level.at_us)


def _drains_us(level: Level, now_us: int, rule: BucketRule) -> int:
    if rule.strategy is Strategy.FIXED_WINDOW:
        return now_us
    return min(level.at_us + level.used * MICRO // rule.rate, FAR_US)


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
    level: Level, now_us: int, rule: BucketRule, wait_us: int, *, drains_us: int = 0
) -> Decision:
    used = min(rule.capacity, -(-level.used // MICRO))
    return Decision(
        at_us=now_us,
        allowed=wait_us == 0,
        capacity=rule.capacity,
        used=used,
        remaining=rule.capacity - used,
        wait_us=wait_us,
        drains_us=drains_us,
    )
