"""What every store of rate buckets promises; here, the one in memory."""

import pytest

from svc_token.domain.bucket import MICRO, BucketRule, Strategy
from svc_token.stores.buckets_memory import MemoryBuckets

pytestmark = pytest.mark.anyio
RULE = BucketRule(strategy=Strategy.LEAKY_BUCKET, capacity=10, rate=MICRO, window_us=MICRO)


class ManualClock:
    def __init__(self) -> None:
        self.now = 1_000 * MICRO

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / MICRO


async def test_take_refund_and_peek_agree() -> None:
    buckets = MemoryBuckets(ManualClock(), 60 * MICRO)
    taken = await buckets.take("a", 10, RULE)
    assert taken.allowed
    assert not (await buckets.take("a", 1, RULE)).allowed
    await buckets.refund("a", 4, RULE, taken_us=taken.at_us)
    seen = await buckets.peek("a", RULE)
    assert (seen.used, seen.remaining) == (6, 4)
    assert (await buckets.peek("b", RULE)).remaining == 10


async def test_idle_buckets_are_forgotten_and_their_number_is_bounded() -> None:
    clock = ManualClock()
    buckets = MemoryBuckets(clock, 60 * MICRO, most=100)
    for number in range(1000):
        await buckets.take(f"k{number}", 1, RULE)
    assert len(buckets._levels) == 100
    clock.now += 61 * MICRO
    await buckets.take("fresh", 1, RULE)
    assert list(buckets._levels) == ["fresh"]
