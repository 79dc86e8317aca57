"""64 clients on one bucket get what its rule gives, to the token."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from mesh.clock import SystemClock
from svc_token.domain.bucket import MICRO, BucketRule, Decision, Level, Strategy, Taken, take
from svc_token.ports import Buckets
from svc_token.stores import BUCKETS
from tests.parts.redis import corner
from tests.parts.urls import REDIS, backends, url
from tests.svc_token.stores.admitted import Admitted, too_much
from tests.svc_token.stores.hammer import COSTS, RULE, hammer

pytestmark = pytest.mark.anyio
KEY = "bucket:{a}:openai"
CLIENTS, CALLS = 64, 40
# Fewer tokens than this are left when a bucket is found too full for every cost.
LEFT = max(COSTS)
Opened = AbstractAsyncContextManager[list[Buckets]]


@asynccontextmanager
async def in_memory() -> AsyncIterator[list[Buckets]]:
    async with BUCKETS.open("memory://", clock=SystemClock(), ttl_us=MICRO) as opened:
        yield [opened]


@asynccontextmanager
async def on_redis() -> AsyncIterator[list[Buckets]]:
    """Two connections to one Redis, as two instances have."""
    with corner() as address:
        async with AsyncExitStack() as stack:
            opening = [BUCKETS.open(address, clock=SystemClock(), ttl_us=MICRO) for _ in "ab"]
            yield [await stack.enter_async_context(one) for one in opening]


STORES: dict[str, Callable[[], Opened]] = {"memory": in_memory, "redis": on_redis}


@pytest.fixture(params=backends("memory", redis=REDIS))
async def instances(request: pytest.FixtureRequest) -> AsyncIterator[list[Buckets]]:
    async with STORES[request.param]() as opened:
        yield opened


async def hammered(instances: list[Buckets], rule: BucketRule) -> list[Admitted]:
    share = CLIENTS // len(instances)
    given = await asyncio.gather(
        *(hammer(one, KEY, rule, clients=share, calls=CALLS) for one in instances)
    )
    return [one for each in given for one in each]


def exactly_what_it_may(admitted: list[Admitted], rule: BucketRule) -> bool:
    """No token too many in any stretch of time, and none too few in the fullest."""
    return -LEFT < too_much(admitted, rule) <= 0


@pytest.mark.parametrize("strategy", [Strategy.LEAKY_BUCKET, Strategy.TOKEN_BUCKET])
async def test_clients_at_once_get_the_capacity_and_what_drains(
    instances: list[Buckets], strategy: Strategy
) -> None:
    rule = replace(RULE, strategy=strategy)
    assert exactly_what_it_may(await hammered(instances, rule), rule)


async def test_clients_at_once_share_a_window(instances: list[Buckets]) -> None:
    rule = replace(RULE, strategy=Strategy.FIXED_WINDOW, window_us=31_536_000 * MICRO)
    assert exactly_what_it_may(await hammered(instances, rule), rule)


@dataclass
class ReadsComputesWrites:
    """What must not be: another may come between the read and the write."""

    levels: dict[str, Level] = field(default_factory=dict)
    clock: SystemClock = field(default_factory=SystemClock)

    async def take(self, key: str, cost: int, rule: BucketRule) -> Decision:
        level = self.levels.get(key, Level())
        await asyncio.sleep(0)
        self.levels[key], decision = take(level, cost, self.clock.now_us(), rule)
        return decision

    async def refund(self, key: str, cost: int, rule: BucketRule, *, taken: Taken) -> None:
        raise NotImplementedError

    async def peek(self, key: str, rule: BucketRule) -> Decision:
        raise NotImplementedError


async def test_a_bucket_that_reads_computes_and_writes_is_found_out() -> None:
    assert too_much(await hammered([ReadsComputesWrites()], RULE), RULE) > 0


@pytest.mark.skipif(not url(REDIS), reason="needs a Redis")
async def test_two_processes_share_a_bucket() -> None:
    with corner() as address:
        processes = [await _started(address) for _ in range(2)]
        try:
            for process in processes:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
            told = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
    shares = [[(at_us, cost) for at_us, cost in json.loads(out)] for out, _ in told]
    assert all(shares)
    assert exactly_what_it_may([one for share in shares for one in share], RULE)


async def _started(address: str) -> asyncio.subprocess.Process:
    arguments = ("tests.svc_token.stores.hammer", address, KEY, str(CLIENTS // 2), str(CALLS))
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdin=pipe, stdout=pipe
    )
