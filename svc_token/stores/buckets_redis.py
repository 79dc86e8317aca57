"""Rate buckets on Redis, decided there in one step and by its clock: shared by all processes.

They last as long as Redis keeps them: one that starts empty, starts with empty buckets.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mesh.clock import Clock
from mesh.storage.redis_script import RedisScript, open_script
from svc_token.domain.bucket import (
    MICRO,
    BucketRule,
    Decision,
    Level,
    Strategy,
    Taken,
    check_cost,
    peek,
    take,
)

_NONE = Taken(0)
SCRIPT = Path(__file__).with_name("buckets.lua").read_text()


class RedisBuckets:
    """Buckets idle for `ttl_us` go, once they are empty.

    Time is Redis' own, unless a clock is given for tests.

    A take whose answer was lost may have happened: the bucket is then stricter
    than it need be, never looser.
    """

    def __init__(self, script: RedisScript, ttl_us: int, *, clock: Clock | None = None) -> None:
        self._script = script
        self._ttl_ms = max(1, ttl_us // 1000)
        self._clock = clock

    async def take(self, key: str, cost: int, rule: BucketRule) -> Decision:
        """Takes `cost` tokens when they fit."""
        check_cost(cost, rule)
        level, now = await self._do("take", key, rule, cost=cost)
        # The script has taken them by the same rule, from the same level at the same moment.
        return take(level, cost, now, rule)[1]

    async def refund(self, key: str, cost: int, rule: BucketRule, *, taken: Taken) -> None:
        """Puts back what has not drained of what was taken."""
        await self._do("refund", key, rule, cost=cost, taken=taken)

    async def peek(self, key: str, rule: BucketRule) -> Decision:
        """How the bucket stands."""
        level, now = await self._do("peek", key, rule)
        return peek(level, now, rule)

    async def _do(
        self, verb: str, key: str, rule: BucketRule, *, cost: int = 0, taken: Taken = _NONE
    ) -> tuple[Level, int]:
        """The level before the verb, settled to a moment, and that moment."""
        answer = await self._script(
            key,
            verb,
            cost,
            rule.capacity,
            *divmod(rule.rate, MICRO),
            rule.window_us if rule.strategy is Strategy.FIXED_WINDOW else 0,
            taken.at_us,
            taken.since_us,
            *divmod(taken.behind, MICRO),
            self._ttl_ms,
            "" if self._clock is None else self._clock.now_us(),
        )
        *level, now_us = map(int, answer.split())
        return Level(*level), now_us


@asynccontextmanager
async def open_buckets(url: str, *, clock: Clock, ttl_us: int) -> AsyncIterator[RedisBuckets]:  # noqa: ARG001 Redis has its own
    """Buckets for `redis://` and `rediss://`."""
    async with open_script(url, SCRIPT, store="buckets") as script:
        yield RedisBuckets(script, ttl_us)
