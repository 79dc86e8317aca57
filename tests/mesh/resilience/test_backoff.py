import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.resilience.backoff import Backoff


def dice(seed: int) -> Callable[[], float]:
    return random.Random(seed).random  # noqa: S311 replayable, no secret


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    backoff = Backoff(first=0.5, cap=3, random=lambda: 1.0)
    assert [backoff.delay(attempt) for attempt in range(1, 6)] == [0.5, 1, 2, 3, 3]


@settings(deadline=None)
@given(st.floats(0.001, 60), st.floats(0.001, 60), st.integers(0, 10**6), st.integers())
def test_every_wait_lies_between_nothing_and_the_ceiling(
    first: float, cap: float, attempt: int, seed: int
) -> None:
    backoff = Backoff(first=first, cap=cap, random=dice(seed))
    assert 0 <= backoff.delay(attempt) <= cap


def test_waits_are_spread_over_the_whole_range() -> None:
    backoff = Backoff(first=1, cap=1, random=dice(7))
    waits = sorted(backoff.delay(1) for _ in range(200))
    assert waits[0] < 0.1
    assert waits[-1] > 0.9
