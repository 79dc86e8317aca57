"""Each part away for 20 s under load: what is said meanwhile, and what is true afterwards."""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.parts import load
from tests.e2e.parts.books import adds_up
from tests.e2e.parts.whole import Whole, needs_all
from tests.parts.native import NativePart

pytestmark = [needs_all, pytest.mark.e2e, pytest.mark.anyio]
AWAY_SECONDS = 20.0
BACK_SECONDS = 15.0
CALLERS = 8
TOKENS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A part, and whether spending goes on without it."""

    part: str
    spending: bool


OUTAGES = (
    Outage(part="redis", spending=False),
    Outage(part="postgresql", spending=False),
    Outage(part="kafka", spending=True),
    Outage(part="cassandra", spending=True),
    Outage(part="consul", spending=True),
)


@pytest.fixture(params=OUTAGES, ids=lambda outage: str(outage.part))
def outage(request: pytest.FixtureRequest) -> Outage:
    chosen: Outage = request.param
    return chosen


@pytest.fixture
def part(outage: Outage, whole: Whole) -> Iterator[NativePart]:
    """The part that is stopped; it runs again afterwards, whatever happens."""
    if outage.part == "consul":
        found = whole.corner.consul
    else:
        found = NativePart(name=outage.part, folder=Path(os.environ["PARTS_DIR"]))
    yield found
    found.start()


async def test_a_part_that_is_away_loses_nothing_and_is_found_again(
    whole: Whole, outage: Outage, part: NativePart
) -> None:
    people, pids = load.users(CALLERS), whole.system.pids()
    answered, report = whole.answered(), whole.report()
    asks = [load.consume(whole.system.url(), user, tokens=TOKENS) for user in people]
    async with load.running(asks, pause=0.05) as written:
        await asyncio.sleep(2)
        going = time.monotonic()
        await asyncio.to_thread(part.stop)
        gone = time.monotonic()
        await asyncio.sleep(AWAY_SECONDS / 2)
        if outage.part == "cassandra":
            await asyncio.to_thread(_analytics_is_away, whole)
        await asyncio.sleep(AWAY_SECONDS / 2)
        await asyncio.to_thread(part.start)
        back = time.monotonic()
        await asyncio.sleep(BACK_SECONDS)
        well = time.monotonic()
        await asyncio.sleep(2)
    _said_what_is_documented(written, outage, gone, back)
    # Not until it is gone: a part that ends in order refuses calls for as long as that takes.
    assert written.statuses(until=going - 1) == {200}
    last = max((each.began for each in written.failed()), default=back)
    late = f"the last to fail began {last - back:.1f} s after it was back"
    print(f"{outage.part}: {len(written.answers)} calls, {late}")  # noqa: T201 for the closing figures
    assert written.statuses(since=well) == {200}
    assert whole.system.pids() == pids
    await load.holds(lambda: whole.report()["totalEvents"] > report["totalEvents"], 60)
    granted = len(written.answers) - len(written.failed())
    # What was refused may have been asked of the provider only when the store went in between.
    await adds_up(whole, people, tokens=TOKENS, answered=answered, granted=granted, lost=CALLERS)


def _said_what_is_documented(written: load.Load, outage: Outage, gone: float, back: float) -> None:
    meanwhile = written.of(since=gone + 1, until=back - 1)
    assert meanwhile, "nobody called"
    expected = {200} if outage.spending else {503}
    assert {each.status for each in meanwhile} == expected
    for each in written.failed():
        assert each.status == 503
        assert int(each.headers["retry-after"]) >= 1
        assert each.body.get("reason") == "UNAVAILABLE" or each.body["status"] == "unavailable"
    if outage.spending:
        assert written.failed() == []


def _analytics_is_away(whole: Whole) -> None:
    url = f"{whole.system.url()}/api/v1/analytics/usage"
    answer = httpx.get(url, params={"provider": "openai"}, timeout=15)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
