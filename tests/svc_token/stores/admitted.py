"""Whether what was admitted is what a rule allows, in every stretch of time."""

from collections.abc import Sequence
from fractions import Fraction

from svc_token.domain.bucket import MICRO, BucketRule, Strategy

# When, in microseconds of the bucket's clock, and how many tokens.
Admitted = tuple[int, int]


def too_much(admitted: Sequence[Admitted], rule: BucketRule) -> Fraction:
    """The most tokens above capacity + rate x time in any stretch; at most 0 when all is well.

    Of a fixed window: the most above the capacity in any window.
    """
    if rule.strategy is Strategy.FIXED_WINDOW:
        windows: dict[int, int] = {}
        for at_us, cost in admitted:
            windows[at_us // rule.window_us] = windows.get(at_us // rule.window_us, 0) + cost
        return Fraction(max(windows.values(), default=0) - rule.capacity)
    # The stretch that ends with each and holds the most: as in Kadane's largest sum.
    most, worst, last = Fraction(0), Fraction(-rule.capacity), 0
    for at_us, cost in sorted(admitted):
        drained = Fraction(rule.rate * (at_us - last), MICRO * MICRO)
        most, last = max(Fraction(0), most - drained) + cost, at_us
        worst = max(worst, most - rule.capacity)
    return worst
