"""Two instances of svc_token under one gateway port: exact together, and one may die."""

import asyncio
import os
import signal
import statistics
import uuid
from collections import Counter

import pytest

from tests.e2e.parts import load
from tests.e2e.parts.dying import both_pass, dies_and_comes_back
from tests.e2e.parts.live import slow_provider
from tests.e2e.parts.whole import Whole, needs_all

pytestmark = [needs_all, pytest.mark.e2e, pytest.mark.anyio]
CALLERS = 16
# How late a gateway may be to see that a connection is closed; and one that was busy then.
NOTICED_SECONDS, LATE_SECONDS = 0.5, 10.0


@pytest.fixture
def whole(patient: Whole) -> Whole:
    return patient


async def test_64_consumers_over_two_instances_get_exactly_the_1000_tokens(whole: Whole) -> None:
    org, base = str(uuid.uuid4()), whole.system.url()
    whole.open_pool(org, 1000)
    before = {
        name: whole.metric(name, "grpc_server_handled_total") for name in ("token", "token.2")
    }
    asks = [
        load.Ask(
            method="POST",
            url=f"{base}/api/v1/tokens/consume",
            json={"userId": user, "orgId": org, "provider": "openai", "tokens": 1},
        )
        for user in load.users(64)
        for _ in range(25)
    ]
    answers = (await load.each(asks, at_once=64)).answers
    assert Counter(each.status for each in answers) == {200: 1000, 402: 600}
    assert whole.left(org) == 0
    # Neither was idle, or it would prove nothing.
    for name, served in before.items():
        assert whole.metric(name, "grpc_server_handled_total") - served > 300


async def test_an_instance_that_is_killed_takes_only_what_it_was_doing(whole: Whole) -> None:
    base, people = whole.system.url(), load.users(CALLERS)
    await load.each([load.consume(base, user) for user in people], at_once=CALLERS)
    reads = [load.quota(base, user) for user in people]
    writes = [load.consume(base, user) for user in people]
    with slow_provider(whole):
        async with load.running(reads) as read, load.running(writes) as written:
            await asyncio.sleep(3)
            begun, killed = await dies_and_comes_back(whole)
    assert read.failed() == []
    failed = written.failed()
    assert {each.status for each in failed} == {503}
    assert all("retry-after" in each.headers for each in failed)
    # What was under way there, and not what was at the other one.
    under_way = [each for each in written.of(until=begun) if each.ended > begun]
    assert 0 < sum(each.status == 503 for each in under_way) < len(under_way)
    # Nobody loses more than the one call that was under way, and once the gateways
    # have read that the connection is closed nothing is sent there.
    assert max(Counter(id(each.ask) for each in failed).values()) <= 1
    late = sorted(each.began - killed for each in failed)
    assert statistics.median(late) < NOTICED_SECONDS, late
    assert late[-1] < LATE_SECONDS, late
    print(  # noqa: T201
        f"{len(written.answers)} consumes, {len(failed)} of them failed,"
        f" the last begun {late[-1] * 1000:.0f} ms after the end of the process"
    )


async def test_an_instance_that_drains_takes_nothing_with_it(whole: Whole) -> None:
    base, people = whole.system.url(), load.users(CALLERS)
    await load.holds(lambda: both_pass(whole), 60)
    async with load.running([load.consume(base, user) for user in people]) as written:
        await asyncio.sleep(2)
        pid = whole.system.pids()["token"]
        os.kill(pid, signal.SIGTERM)
        await load.holds(lambda: whole.system.pids().get("token") not in {None, pid}, 60)
        await load.holds(lambda: both_pass(whole), 60)
    assert len(written.answers) > 50
    assert written.failed() == []
