from collections.abc import Sequence

import hypothesis.strategies as st
from hypothesis import given

from svc_auth.domain.revocation import Numbered, of_key
from svc_auth.domain.tail import PATIENCE_SECONDS, Tail


def rows(*places: int) -> list[Numbered]:
    return [Numbered(seq=place, revocation=of_key(str(place), at=0)) for place in places]


def places(found: Sequence[Numbered]) -> list[int]:
    return [one.seq for one in found]


def test_each_row_is_new_once() -> None:
    tail = Tail()
    assert places(tail.fresh(rows(1, 2), 0)) == [1, 2]
    assert places(tail.fresh(rows(2, 3), 0)) == [3]
    assert tail.newest == 3


def test_a_place_that_is_filled_late_is_asked_for_until_then() -> None:
    tail = Tail()
    tail.fresh(rows(1, 4), 0)
    assert tail.gaps == [2, 3]
    assert places(tail.fresh(rows(3, 5), 1)) == [3, 5]
    assert tail.gaps == [2]


def test_a_place_that_stays_empty_is_given_up() -> None:
    tail = Tail()
    tail.fresh(rows(2), 0)
    tail.fresh([], PATIENCE_SECONDS - 0.1)
    assert tail.gaps == [1]
    tail.fresh([], PATIENCE_SECONDS)
    assert tail.gaps == []


def test_what_was_there_at_the_start_is_no_news_and_its_last_gaps_are_watched() -> None:
    tail = Tail()
    tail.start(300, rows(*range(150, 299), 300), 0)
    assert (tail.newest, tail.gaps) == (300, [299])
    assert places(tail.fresh(rows(299, 301), 1)) == [299, 301]


@given(st.permutations(range(1, 30)), st.integers(1, 5))
def test_in_whatever_order_rows_come_to_be_seen_each_is_told_once(
    order: list[int], at_once: int
) -> None:
    tail, told = Tail(), []
    seen: set[int] = set()
    for start in range(0, len(order), at_once):
        seen |= set(order[start : start + at_once])
        asked = [place for place in sorted(seen) if place > tail.newest or place in tail.gaps]
        told += places(tail.fresh(rows(*asked), 0))
    assert sorted(told) == sorted(order)
