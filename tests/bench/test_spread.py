import pytest

from bench.spread import Spread, percentile


def test_the_smallest_the_median_and_the_largest() -> None:
    assert Spread.of([3.0, 1.0, 8.0]) == Spread(1.0, 3.0, 8.0)
    assert Spread.of(iter([4.0, 2.0])) == Spread(2.0, 3.0, 4.0)


def test_a_part_of_each() -> None:
    assert Spread(1.0, 3.0, 8.0).over(2) == Spread(0.5, 1.5, 4.0)


def test_of_nothing_there_is_no_spread() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        Spread.of([])


def test_as_text_once_where_all_are_alike() -> None:
    assert Spread(1.0, 1.25, 2.0).text(2) == "1.00 / 1.25 / 2.00"
    assert Spread(1.04, 1.0, 1.01).text(1) == "1.0"


def test_what_is_small_has_more_digits() -> None:
    assert Spread(0.5, 0.53, 9.0).text(0) == "0.50 / 0.53 / 9.00"
    assert Spread(0.0021, 0.0034, 0.2).text(2) == "0.0021 / 0.0034 / 0.2000"
    assert Spread(0.0, 0.0, 0.0).text(0) == "0"
    assert Spread(0.0, 0.0000012, 0.0).text(1) == "0.0000"


def test_percentiles_are_figures_that_were_seen() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert percentile(hundred, 50) == 50.0
    assert percentile(hundred, 99) == 99.0
    assert percentile([7.0], 99) == 7.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
    assert percentile([], 50) == 0.0
