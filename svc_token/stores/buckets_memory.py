"""Rate buckets in this process's memory: the twin of the shared ones."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from mesh.clock import Clock
from svc_token.domain.bucket import (
    BucketRule,
    Decision,
    Level,
    Taken,
    drained_us,
    peek,
    refund,
    take,
)

# A bound on memory; beyond it the least recently used bucket goes, whatever is in it.
# At 100 bytes and more a bucket this is about 40 MB.
MAX_BUCKETS = 200_000


@dataclass(frozen=True, slots=True)
class _Kept:
    """A level, when it was last asked for or looked through, and when it is empty."""

    level: Level
    seen_us: int
    drained_us: int


class MemoryBuckets:
    """Each verb runs without awaiting, and so is one step.

    Buckets idle for `ttl_us` go, once they are empty.
    """

    def __init__(self, clock: Clock, ttl_us: int, *, most: int = MAX_BUCKETS) -> None:
        self._clock = clock
        self._ttl_us = ttl_us
        self._most = most
        # By the moment they were seen.
        self._levels: OrderedDict[str, _Kept] = OrderedDict()

    async def take(self, key: str, cost: int, rule: BucketRule) -> Decision:
        """Takes `cost` tokens when they fit."""
        now = self._clock.now_us()
        level, decision = take(self._level(key), cost, now, rule)
        self._put(key, level, rule, now)
        return decision

    async def refund(self, key: str, cost: int, rule: BucketRule, *, taken: Taken) -> None:
        """Puts back what has not drained of what was taken."""
        now = self._clock.now_us()
        level = refund(self._level(key), cost, taken, now, rule)
        self._put(key, level, rule, now)

    async def peek(self, key: str, rule: BucketRule) -> Decision:
        """How the bucket stands."""
        return peek(self._level(key), self._clock.now_us(), rule)

    def _level(self, key: str) -> Level:
        kept = self._levels.get(key)
        return kept.level if kept else Level()

    def _put(self, key: str, level: Level, rule: BucketRule, now: int) -> None:
        self._levels[key] = _Kept(level, now, drained_us(level, rule))
        self._levels.move_to_end(key)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)
        while self._oldest().seen_us < now - self._ttl_us:
            idle, kept = self._levels.popitem(last=False)
            if kept.drained_us > now:
                # To forget it now would fill it up; it is looked at again a while later.
                self._levels[idle] = replace(kept, seen_us=now)

    def _oldest(self) -> _Kept:
        return next(iter(self._levels.values()))


@asynccontextmanager
async def open_buckets(_url: str, *, clock: Clock, ttl_us: int) -> AsyncIterator[MemoryBuckets]:
    """Buckets for `memory://`."""
    yield MemoryBuckets(clock, ttl_us)
