"""Redis away while the edge lets pass what it cannot count, and in the end svc_token, too."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.parts import live, load
from tests.e2e.parts.books import adds_up
from tests.e2e.parts.whole import Whole, needs_all
from tests.parts.native import NativePart

pytestmark = [needs_all, pytest.mark.e2e, pytest.mark.anyio]
EDGE = "gateway.rate-limit.fail-open"
BUCKETS = "token.bucket.fail-open"
# Who asks each of the stores that Redis is.
ASKING = {"windows": ("gateway", "gateway.2"), "buckets": ("token", "token.2")}
# Until what had begun is over, and a breaker that opened lets calls through again.
OVER_SECONDS = 3.0
CALLERS = 4
TOKENS = 3
ENOUGH = 20


@pytest.fixture
def redis(whole: Whole) -> Iterator[NativePart]:
    """What is stopped; it runs again afterwards, and nothing passes uncounted any more."""
    part = NativePart(name="redis", folder=Path(os.environ["PARTS_DIR"]))
    yield part
    part.start()
    for name in (EDGE, BUCKETS):
        live.put(whole, name, "false")


async def test_redis_away_is_refused_by_svc_token_and_passes_where_both_are_told_so(
    whole: Whole, redis: NativePart
) -> None:
    people, answered, decided = load.users(CALLERS), whole.answered(), _decided(whole)
    asks = [load.consume(whole.system.url(), user, tokens=TOKENS) for user in people]
    reads = [load.quota(whole.system.url(), user) for user in people]
    await load.each(asks, at_once=CALLERS)
    await asyncio.to_thread(live.change, whole, EDGE, "true")
    async with load.running(asks, pause=0.05) as written, load.running(reads, pause=0.05) as read:
        await _some_more(written, since=0)
        await asyncio.to_thread(redis.stop)
        away = time.monotonic() + OVER_SECONDS
        await _some_more(written, since=away)
        closed = time.monotonic()
        await asyncio.to_thread(live.change, whole, BUCKETS, "true")
        opened = time.monotonic() + OVER_SECONDS
        await _some_more(written, since=opened)
        await asyncio.to_thread(redis.start)
        await _some_more(written, since=time.monotonic())
    assert read.failed() == []
    assert written.statuses(since=away, until=closed) == {503}
    assert all(int(each.headers["retry-after"]) >= 1 for each in written.failed())
    assert written.statuses(since=opened) == {200}
    # The edge refused nothing: what was refused was svc_token's to refuse.
    grown = {what for what, count in _decided(whole).items() if count > decided[what]}
    assert grown == {("windows", "passed"), ("buckets", "refused"), ("buckets", "passed")}
    granted = CALLERS + len(written.answers) - len(written.failed())
    await adds_up(whole, people, tokens=TOKENS, answered=answered, granted=granted, lost=0)


async def _some_more(written: load.Load, since: float) -> None:
    await load.holds(lambda: len(written.of(since=since)) > ENOUGH, 30)


def _decided(whole: Whole) -> dict[tuple[str, str], float]:
    """How many calls were decided without a store, by the store and what was decided."""
    return {
        (store, decision): sum(
            whole.metric(process, "rate_limit_store_away_total", store=store, decision=decision)
            for process in processes
        )
        for store, processes in ASKING.items()
        for decision in ("refused", "passed")
    }
