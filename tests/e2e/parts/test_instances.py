"""Two instances of svc_token under one gateway port: exact together, and one may die."""

import asyncio
import os
import signal
import time
import uuid
from collections import Counter

import pytest

from tests.e2e.parts import load
from tests.e2e.parts.whole import Whole, needs_all
from tests.e2e.system import gone

pytestmark = [needs_all, pytest.mark.e2e, pytest.mark.anyio]
CALLERS = 16


def _passing(whole: Whole) -> bool:
    return list(whole.states("token").values()) == ["passing", "passing"]


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
    assert [each.status for each in answers].count(200) == 1000
    assert [each.status for each in answers].count(402) == 600
    assert whole.left(org) == 0
    # Neither was idle, or it would prove nothing.
    for name, served in before.items():
        assert whole.metric(name, "grpc_server_handled_total") - served > 300


NOTICED_SECONDS = 0.5


async def test_an_instance_that_is_killed_takes_only_what_it_was_doing(whole: Whole) -> None:
    base, system = whole.system.url(), whole.system
    people = load.users(CALLERS)
    await load.each([load.consume(base, user) for user in people], at_once=CALLERS)
    reads = [load.quota(base, user) for user in people]
    writes = [load.consume(base, user) for user in people]
    async with load.running(reads) as read, load.running(writes) as written:
        await asyncio.sleep(3)
        pid = system.pids()["token.2"]
        os.kill(pid, signal.SIGKILL)
        # Until the kernel has closed its connections it takes calls like a living one.
        await load.holds(lambda: gone(pid), 5)
        killed = time.monotonic()
        await load.holds(lambda: "critical" in whole.states("token").values(), 10)
        await load.holds(lambda: _passing(whole), 60)
        back = whole.metric("token.2", "grpc_server_handled_total")
        await load.holds(
            lambda: whole.metric("token.2", "grpc_server_handled_total") > back + 50, 10
        )
    assert read.failed() == []
    failed = written.failed()
    assert {each.status for each in failed} <= {503}
    assert all("retry-after" in each.headers for each in failed)
    # Nobody loses more than the one call that was under way, and once the gateways
    # have read that the connection is closed nothing is sent there.
    assert max(Counter(id(each.ask) for each in failed).values(), default=0) <= 1
    late = max((each.began - killed for each in failed), default=0.0)
    assert late < NOTICED_SECONDS
    print(  # noqa: T201
        f"{len(written.answers)} consumes, {len(failed)} of them failed,"
        f" the last begun {late * 1000:.0f} ms after the end of the process"
    )


async def test_an_instance_that_drains_takes_nothing_with_it(whole: Whole) -> None:
    base, people = whole.system.url(), load.users(CALLERS)
    await load.holds(lambda: _passing(whole), 60)
    async with load.running([load.consume(base, user) for user in people]) as written:
        await asyncio.sleep(2)
        pid = whole.system.pids()["token"]
        os.kill(pid, signal.SIGTERM)
        await load.holds(lambda: whole.system.pids().get("token") not in {None, pid}, 60)
        await load.holds(lambda: _passing(whole), 60)
    assert len(written.answers) > 50
    assert written.failed() == []
