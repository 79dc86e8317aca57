from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from svc_analytics.domain.totals import ProviderUsage, Totals, ranked, shares, total


def usage(provider: str, tokens: int, events: int = 1, denied: int = 0) -> ProviderUsage:
    totals = Totals(events=events, denied=denied, tokens=tokens)
    return ProviderUsage(provider=provider, totals=totals, last_us=0)


TOKENS = st.lists(st.integers(0, 10**15), max_size=8)


@given(TOKENS)
def test_shares_are_parts_of_one_whole(tokens: list[int]) -> None:
    parts = shares([usage(str(index), used) for index, used in enumerate(tokens)])
    assert all(0 <= part <= 1 for part in parts)
    assert isclose(sum(parts), 1.0 if sum(tokens) else 0.0, abs_tol=1e-12)


@given(TOKENS)
def test_ranking_keeps_every_provider_and_puts_most_tokens_first(tokens: list[int]) -> None:
    usages = [usage(str(index), used) for index, used in enumerate(tokens)]
    order = ranked(usages)
    assert sorted(one.provider for one in order) == sorted(one.provider for one in usages)
    assert [one.totals.tokens for one in order] == sorted(tokens, reverse=True)


def test_equal_tokens_rank_by_name() -> None:
    assert [one.provider for one in ranked([usage("b", 1), usage("a", 1)])] == ["a", "b"]


def test_shares_of_denied_events_alone_are_zero() -> None:
    assert shares([usage("openai", 0, events=3, denied=3)]) == (0.0,)


def test_the_average_is_over_allowed_events_only() -> None:
    assert Totals(events=5, denied=3, tokens=30).average_tokens == 15.0
    assert Totals(events=3, denied=3).average_tokens == 0.0


def test_a_total_adds_every_part() -> None:
    both = total([usage("a", 5, events=2, denied=1), usage("b", 7, events=4, denied=2)])
    assert both == Totals(events=6, denied=3, tokens=12)
