"""A process full of clients on one bucket: says `ready`, waits for a line, tells what it got.

python -m tests.svc_token.stores.hammer URL KEY CLIENTS CALLS
"""

import asyncio
import json
import sys

from mesh.clock import SystemClock
from svc_token.domain.bucket import MICRO, BucketRule, Strategy
from svc_token.ports import Buckets
from svc_token.stores import BUCKETS
from tests.svc_token.stores.admitted import Admitted

RULE = BucketRule(
    strategy=Strategy.LEAKY_BUCKET, capacity=1000, rate=10 * MICRO, window_us=60 * MICRO
)
COSTS = (1, 7, 3, 5, 2)


async def hammer(
    buckets: Buckets, key: str, rule: BucketRule, *, clients: int, calls: int
) -> list[Admitted]:
    """What so many clients at once were given in so many calls each."""

    async def client(number: int) -> list[Admitted]:
        given = []
        for call in range(calls):
            cost = COSTS[(number + call) % len(COSTS)]
            decision = await buckets.take(key, cost, rule)
            if decision.allowed:
                given.append((decision.at_us, cost))
        return given

    every = await asyncio.gather(*(client(number) for number in range(clients)))
    return [one for given in every for one in given]


async def main(url: str, key: str, clients: str, calls: str) -> None:
    """Tells JSON."""
    async with BUCKETS.open(url, clock=SystemClock(), ttl_us=3600 * MICRO) as buckets:
        await buckets.peek(key, RULE)
        _tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        given = await hammer(buckets, key, RULE, clients=int(clients), calls=int(calls))
    _tell(json.dumps(given))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
