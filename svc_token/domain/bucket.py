"""Rate buckets in integers: micro-tokens and microseconds, no rounding in the caller's favour.

The leaky bucket, taken as a meter (ITU-T I.371's GCRA in its bucket form), and
the token bucket (RFC 2697's) are each other's mirror: what one has filled, the
other has spent. They share one arithmetic here; a fixed window forgets
everything when it ends.
"""

from dataclasses import dataclass
from enum import StrEnum

MICRO = 1_000_000


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
    """What is in a bucket, in micro-tokens, as of a moment (or of a window's start)."""

    used: int = 0
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer at a moment, in tokens; `wait_us` until the same would fit, 0 when it did.

    `counted` is False when no bucket could be asked: then nothing was taken.
    """

    at_us: int
    allowed: bool
    capacity: int
    used: int
    remaining: int
    wait_us: int
    counted: bool = True

    @property
    def wait_seconds(self) -> int:
        """`wait_us` in whole seconds, rounded up."""
        return -(-self.wait_us // MICRO)


def settle_to(level: Level, now_us: int, rule: BucketRule) -> Level:
    """The level at a later moment, with nothing taken. A clock that went back changes nothing."""
    if rule.strategy is Strategy.FIXED_WINDOW:
        start = now_us - now_us % rule.window_us
        return level if level.at_us >= start else Level(0, start)
    if now_us <= level.at_us:
        return level
    drained = rule.rate * (now_us - level.at_us) // MICRO
    if drained == 0 and level.used:
        # Too soon for a whole micro-token: keep the moment, or slow rates would never drain.
        return level
    return Level(max(0, level.used - drained), now_us)


def take(level: Level, cost: int, now_us: int, rule: BucketRule) -> tuple[Level, Decision]:
    """Takes `cost` tokens if they fit, else nothing. Raises ValueError past the capacity."""
    check_cost(cost, rule)
    level = settle_to(level, now_us, rule)
    wait_us = _wait(level, cost, now_us, rule)
    if wait_us:
        return level, _decision(level, now_us, rule, wait_us)
    level = Level(level.used + cost * MICRO, level.at_us)
    return level, _decision(level, now_us, rule, 0)


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
    """Puts back what a `take` took at a moment; a window that has ended owes nothing."""
    level = settle_to(level, now_us, rule)
    if rule.strategy is Strategy.FIXED_WINDOW and taken_us < level.at_us:
        return level
    return Level(max(0, level.used - cost * MICRO), level.at_us)


def peek(level: Level, now_us: int, rule: BucketRule) -> Decision:
    """How the bucket stands for a request of one token, which is not taken."""
    level = settle_to(level, now_us, rule)
    return _decision(level, now_us, rule, _wait(level, 1, now_us, rule))


def _wait(level: Level, cost: int, now_us: int, rule: BucketRule) -> int:
    over = level.used + (cost - rule.capacity) * MICRO
    if over <= 0:
        return 0
    if rule.strategy is Strategy.FIXED_WINDOW:
        at_us = max(level.at_us, now_us)
        return at_us - at_us % rule.window_us + rule.window_us - now_us
    waited = max(0, now_us - level.at_us)
    return max(1, -(-over * MICRO // rule.rate) - waited)


def _decision(level: Level, now_us: int, rule: BucketRule, wait_us: int) -> Decision:
    used = min(rule.capacity, -(-level.used // MICRO))
    return Decision(
        at_us=now_us,
        allowed=wait_us == 0,
        capacity=rule.capacity,
        used=used,
        remaining=rule.capacity - used,
        wait_us=wait_us,
    )
