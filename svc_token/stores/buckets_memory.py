"""Rate buckets in this process's memory: the twin of the shared ones."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mesh.clock import Clock
from svc_token.domain.bucket import BucketRule, Decision, Level, peek, refund, take

# A bound on memory; the least recently used bucket goes first. At 100 bytes
# and more a bucket this is about 30 MB.
MAX_BUCKETS = 200_000


class MemoryBuckets:
    """Each verb runs without awaiting, and so is one step. Idle ones go after `ttl_us`."""

    def __init__(self, clock: Clock, ttl_us: int, *, most: int = MAX_BUCKETS) -> None:
        self._clock = clock
        self._ttl_us = ttl_us
        self._most = most
        self._levels: OrderedDict[str, tuple[Level, int]] = OrderedDict()

    async def take(self, key: str, cost: int, rule: BucketRule) -> Decision:
        """Takes `cost` tokens when they fit."""
        now = self._clock.now_us()
        level, decision = take(self._level(key), cost, now, rule)
        self._put(key, level, now)
        return decision

    async def refund(self, key: str, cost: int, rule: BucketRule, *, taken_us: int) -> None:
        """Puts back what was taken at a moment."""
        now = self._clock.now_us()
        self._put(key, refund(self._level(key), cost, taken_us, now, rule), now)

    async def peek(self, key: str, rule: BucketRule) -> Decision:
        """How the bucket stands."""
        return peek(self._level(key), self._clock.now_us(), rule)

    def _level(self, key: str) -> Level:
        return self._levels.get(key, (Level(), 0))[0]

    def _put(self, key: str, level: Level, now: int) -> None:
        self._levels[key] = (level, now)
        self._levels.move_to_end(key)
        while len(self._levels) > self._most or self._oldest() < now - self._ttl_us:
            self._levels.popitem(last=False)

    def _oldest(self) -> int:
        return next(iter(self._levels.values()))[1]


@asynccontextmanager
async def open_buckets(_url: str, *, clock: Clock, ttl_us: int) -> AsyncIterator[MemoryBuckets]:
    """Buckets for `memory://`."""
    yield MemoryBuckets(clock, ttl_us)
