"""What providers answered, what pools were charged and what analytics shows is one number."""

import asyncio
from collections.abc import Sequence

from tests.e2e.parts import load
from tests.e2e.parts.whole import Whole

SETTLED_SECONDS = 60.0


async def adds_up(
    whole: Whole,
    people: Sequence[str],
    *,
    tokens: int,
    answered: int,
    granted: int,
    lost: int,
) -> None:
    """Of `granted` consumes of so many tokens each, and `lost` ones that may have been charged.

    `answered` is what the provider had answered before them.
    """

    def settled() -> bool:
        calls = whole.answered() - answered
        charged = sum(whole.charged(user) for user in people)
        used = sum(whole.used(user) for user in people)
        return charged == used == calls * tokens

    await load.holds(settled, SETTLED_SECONDS)
    calls = await asyncio.to_thread(whole.answered) - answered
    assert granted <= calls <= granted + lost
