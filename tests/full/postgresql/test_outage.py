"""The server stops, dies, freezes and comes back: the same stores go on."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.operations import Operation
from svc_token.domain.pool import Pool
from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.stores import TokenStores
from tests.parts.native import NativePart, native_part
from tests.parts.postgresql import execute
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import TOPICS
from tests.svc_token.stores.test_ledger_contract import ORG, WINDOW, reserve, settle

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
PATIENCE = 60.0
# A call's own deadline is longer than what any of these may take.
ANSWER_SECONDS = 5.0
CLEAN = "TRUNCATE pools, reservations, ledger, outbox, leases, sagas, idempotency_keys"


@pytest.fixture(scope="module")
def server() -> Iterator[NativePart]:
    with native_part("postgresql") as part:
        part.start()
        yield part


@pytest.fixture
async def stores(server: NativePart) -> AsyncIterator[TokenStores]:
    server.start()
    database = f"{server.url}/leaky_token"
    async with SCHEMAS.open(database) as schema:
        await schema.upgrade()
    await execute(database, CLEAN)
    async with TOKEN_STORES.open(database, topics=TOPICS) as opened:
        await opened.pools.create(Pool(key=ORG, window=WINDOW.id, allowance=1000))
        yield opened


def calls(stores: TokenStores) -> list[Callable[[], Awaitable[object]]]:
    """One of each kind."""
    return [
        lambda: stores.ledger.submit(reserve("x", 1)),
        lambda: stores.pools.find(ORG),
        lambda: stores.pools.orphans(0, 1),
        lambda: stores.sagas.unfinished(1),
        stores.outbox.depth,
        stores.ping,
    ]


async def all_refused(stores: TokenStores) -> None:
    for call in calls(stores):
        begun = time.monotonic()
        with pytest.raises(AppError) as refused:
            await call()
        assert (refused.value.reason, refused.value.retry_after) == (REASON_UNAVAILABLE, 1)
        assert time.monotonic() - begun < ANSWER_SECONDS


async def many_at_once(stores: TokenStores) -> None:
    await asyncio.gather(*(call() for call in calls(stores) * 4))


async def test_a_server_that_stops_is_away_and_found_again_when_it_is_back(
    server: NativePart, stores: TokenStores
) -> None:
    await many_at_once(stores)
    await asyncio.to_thread(server.stop)
    await all_refused(stores)
    await asyncio.to_thread(server.start)
    await many_at_once(stores)


async def test_a_restart_that_nobody_saw_costs_nobody_a_call(
    server: NativePart, stores: TokenStores
) -> None:
    await many_at_once(stores)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    await many_at_once(stores)


@contextmanager
def frozen(server: NativePart) -> Iterator[None]:
    """Every process of the server stands still."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    pids = [server.pid, *map(int, children.split())]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_a_server_that_says_nothing_is_away_until_it_goes_on(
    server: NativePart, stores: TokenStores
) -> None:
    await many_at_once(stores)
    with frozen(server):
        await all_refused(stores)
    async with asyncio.timeout(PATIENCE):
        await until(stores.ping)
    await many_at_once(stores)


async def until(call: Callable[[], Awaitable[object]]) -> int:
    """Asks again and again until it is answered; how often that was refused."""
    refused = 0
    while True:
        try:
            await call()
        except AppError as error:
            if error.reason != REASON_UNAVAILABLE:
                raise
            refused += 1
            await asyncio.sleep(0.01)
        else:
            return refused


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_under_load_every_token_is_counted_once_across_a_restart(
    server: NativePart, stores: TokenStores, end: str
) -> None:
    busy, refusals = True, 0

    async def insist(operation: Operation) -> None:
        nonlocal refusals
        refusals += await until(lambda: stores.ledger.submit(operation))

    async def consumer(number: int) -> int:
        turns = 0
        while busy:
            await insist(reserve(f"{number}-{turns}", 1))
            await insist(settle(f"{number}-{turns}", 1))
            turns += 1
        return turns

    await stores.pools.set_allowance(ORG, 1_000_000, window=WINDOW, now_us=1)
    async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as group:
        consumers = [group.create_task(consumer(number)) for number in range(16)]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(getattr(server, end))
        await asyncio.to_thread(server.start)
        await until(stores.ping)
        # Some more work on the server that is back.
        for number in range(10):
            await insist(reserve(f"after-{number}", 1))
            await insist(settle(f"after-{number}", 1))
        busy = False
    used = 10 + sum(task.result() for task in consumers)
    pool = await stores.pools.find(ORG)
    assert pool is not None
    assert (pool.allowance_used, await stores.outbox.depth()) == (used, used)
    assert await stores.pools.orphans(2**62, 1) == []
    assert refusals
