from collections.abc import Callable

import pytest

from svc_analytics.domain.usage import LAST_US, MOST_TOKENS, UsageEvent

Make = Callable[..., UsageEvent]


@pytest.mark.parametrize("tokens", [0, MOST_TOKENS])
@pytest.mark.parametrize("at_us", [0, LAST_US])
def test_the_bounds_themselves_are_good(make_event: Make, tokens: int, at_us: int) -> None:
    assert not list(make_event(tokens=tokens, at_us=at_us).faults())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tokens": -1}, "tokens"),
        ({"tokens": MOST_TOKENS + 1}, "tokens"),
        ({"at_us": -1}, "timestamp"),
        ({"at_us": LAST_US + 1}, "timestamp"),
    ],
)
def test_what_lies_beyond_is_named(make_event: Make, change: dict[str, int], field: str) -> None:
    assert [name for name, _ in make_event(**change).faults()] == [field]
