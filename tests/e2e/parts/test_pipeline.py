"""From a consume through every real part to what analytics shows."""

import random
import time

import httpx
import pytest

from tests.e2e.parts import load
from tests.e2e.parts.whole import Whole, needs_all
from tests.e2e.system import until

pytestmark = [needs_all, pytest.mark.e2e, pytest.mark.anyio]
EVENTS = 10_000
SEEN_SECONDS = 3.0


def test_a_consume_is_seen_in_analytics_within_three_seconds(whole: Whole) -> None:
    (me,) = load.users(1)
    body = {"userId": me, "provider": "qwen", "tokens": 7}
    url = f"{whole.system.url()}/api/v1/tokens/consume"
    answer = httpx.post(url, json=body, timeout=15)
    assert answer.status_code == 200
    began = time.monotonic()
    until(lambda: (me, 7) in whole.latest("qwen"), SEEN_SECONDS)
    print(f"seen after {time.monotonic() - began:.2f} s")  # noqa: T201 for the closing figures
    assert whole.charged(me, "qwen") == whole.used(me) == 7


async def test_ten_thousand_events_in_are_ten_thousand_out(whole: Whole) -> None:
    people = load.users(100)
    chance = random.Random(4)  # noqa: S311 amounts, the same in each run
    amounts = [chance.randint(1, 9) for _ in range(EVENTS)]
    asks = [
        load.consume(whole.system.url(), people[number % 100], tokens=amount, provider="gemini")
        for number, amount in enumerate(amounts)
    ]
    answers = await load.each(asks, at_once=32)
    assert answers.failed() == []

    def arrived() -> bool:
        return bool(whole.report("gemini")["totalEvents"] >= EVENTS)

    await load.holds(arrived, 60)
    # One that comes twice may come last: they are counted when none is left to come.
    await load.holds(lambda: whole.waiting() == 0, 60)
    report = whole.report("gemini")
    assert (report["totalEvents"], report["deniedEvents"]) == (EVENTS, 0)
    assert report["totalTokens"] == sum(amounts)
    assert sum(whole.charged(user, "gemini") for user in people) == sum(amounts)
    assert sum(whole.used(user) for user in people) == sum(amounts)
    assert whole.answered("gemini") == EVENTS
