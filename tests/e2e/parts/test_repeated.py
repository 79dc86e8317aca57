"""One of two svc_token dies under callers who repeat a consume until it is answered."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.e2e.parts import keyed, load
from tests.e2e.parts.dying import dies_and_comes_back
from tests.e2e.parts.live import slow_provider
from tests.e2e.parts.whole import Whole, needs_all

pytestmark = [needs_all, pytest.mark.e2e, pytest.mark.anyio]
CALLERS = 16
TOKENS = 3
SETTLED = """
SELECT count(*), count(DISTINCT ref), sum(tokens)
FROM ledger WHERE kind = 'settle' AND user_id = ANY($1)
"""


async def test_what_is_repeated_under_its_key_is_charged_once_whoever_dies(whole: Whole) -> None:
    people, before = load.users(CALLERS), whole.answered()
    asks = [load.consume(whole.system.url(), user, tokens=TOKENS) for user in people]
    with slow_provider(whole):
        async with keyed.running(asks) as done:
            await asyncio.sleep(2)
            died, _ = await dies_and_comes_back(whole)
    refused = [each for one in done for each in one.refused]
    assert {each.status for each in refused} <= {409, 502, 503, 504}
    # Whom it depends on to come back says when.
    assert all("retry-after" in each.headers for each in refused if each.status in {409, 503})
    # What was under way there when it died, or the rest would prove nothing.
    assert any(each.status == 503 and each.began < died for each in refused)
    await _answered_alike(done)
    charged = {user: calls * TOKENS for user, calls in Counter(one.user for one in done).items()}
    settled = await asyncio.to_thread(whole.books, SETTLED, people)
    assert settled == (len(done), len(done), len(done) * TOKENS)
    # A hold that was left behind is part of what is gone until it expires.
    await load.holds(lambda: {user: whole.charged(user) for user in people} == charged, 60)
    await load.holds(lambda: {user: whole.used(user) for user in people} == charged, 60)
    assert len(done) <= whole.answered() - before <= len(done) + len(refused)


async def _answered_alike(done: Sequence[keyed.Keyed]) -> None:
    """A key that took several tries is still worth its first answer."""
    first = {id(one.ask): one.answers[-1].body for one in done if one.refused}
    again = await load.each([one.ask for one in done if one.refused], at_once=CALLERS)
    assert {id(each.ask): each.body for each in again.answers} == first
    print(f"{len(done)} requests, {len(first)} of them repeated")  # noqa: T201
