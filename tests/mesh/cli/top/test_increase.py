import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mesh.cli.top.increase import added, by_label, increase, total
from mesh.cli.top.samples import Labels

A: Labels = frozenset({("code", "OK"), ("method", "x")})
B: Labels = frozenset({("code", "OK"), ("method", "y")})
C: Labels = frozenset({("code", "NO"), ("method", "y")})

steps = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=20)


def test_what_was_added_is_counted() -> None:
    assert increase({A: 3.0, B: 1.0}, {A: 5.0, B: 1.0}) == {A: 2.0, B: 0.0}


def test_a_series_that_is_new_has_counted_all_it_has() -> None:
    assert increase({A: 3.0}, {A: 3.0, B: 4.0}) == {A: 0.0, B: 4.0}


def test_a_counter_that_sank_was_set_back_in_between() -> None:
    assert increase({A: 100.0}, {A: 7.0}) == {A: 7.0}


def test_a_series_that_is_gone_counts_no_more() -> None:
    assert increase({A: 100.0}, {}) == {}


def test_unknown_values_count_nothing() -> None:
    assert increase({A: math.nan}, {A: 7.0}) == {A: 0.0}
    assert increase({A: 7.0}, {A: math.nan}) == {A: 0.0}


@given(steps)
def test_windows_add_up_to_the_whole(added_each: list[int]) -> None:
    levels = [0.0]
    for each in added_each:
        levels.append(levels[-1] + each)
    parts = [increase({A: before}, {A: after})[A] for before, after in pairwise(levels)]
    assert sum(parts) == increase({A: levels[0]}, {A: levels[-1]})[A] == levels[-1]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), min_size=1, max_size=30))
def test_a_restart_loses_at_most_what_was_counted_unseen(lives: list[tuple[int, bool]]) -> None:
    """Each scrape sees a counter that has grown, or one that began anew."""
    seen, level, before, counted = 0, 0, 0.0, 0
    for grown, restarted in lives:
        level = grown if restarted else level + grown
        found = increase({A: before}, {A: float(level)})[A]
        assert 0 <= found <= level
        # Only a restart that has already overtaken the level before cannot be seen.
        assert found == grown or (restarted and level >= before)
        seen, before, counted = seen + int(found), float(level), counted + grown
    assert seen <= counted


def test_sums_are_over_what_is_chosen() -> None:
    series = {A: 1.0, B: 2.0, C: 4.0}
    assert total(series) == 7.0
    assert total(series, lambda labels: labels["method"] == "y") == 6.0
    assert by_label(series, "code") == {"NO": 4.0, "OK": 3.0}
    assert by_label(series, "nothing") == {}
    assert added([series, {A: 1.0}, {}]) == {A: 2.0, B: 2.0, C: 4.0}
