"""The cases of Prometheus' own tests (promql/promqltest/testdata/histograms.test), and what
holds for every histogram."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mesh.cli.top.quantile import buckets, quantile

INF = math.inf
POSITIVE = {0.1: 50.0, 0.2: 70.0, 1.0: 110.0, INF: 120.0}
NEGATIVE = {-0.2: 10.0, -0.1: 20.0, 0.3: 20.0, INF: 30.0}
SINKING = {0.1: 10.0, 0.2: 8.0, 1.0: 20.0, INF: 20.0}

histograms = st.builds(
    lambda bounds, counts: {
        bound: float(sum(counts[: at + 1])) for at, bound in enumerate([*sorted(bounds), INF])
    },
    st.sets(st.floats(min_value=0.001, max_value=1000), min_size=1, max_size=8),
    st.lists(st.integers(0, 1000), min_size=9, max_size=9),
)
shares = st.floats(min_value=0, max_value=1)


@pytest.mark.parametrize(
    ("counts", "q", "expected"),
    [
        (POSITIVE, 0, 0.0),
        (POSITIVE, 0.2, 0.048),
        (POSITIVE, 0.5, 0.15),
        (POSITIVE, 0.8, 0.72),
        (POSITIVE, 1, 1.0),
        (NEGATIVE, 0, -0.2),
        (NEGATIVE, 0.2, -0.2),
        (NEGATIVE, 0.5, -0.15),
        (NEGATIVE, 0.8, 0.3),
        (NEGATIVE, 1, 0.3),
        # Counts that sink are taken as level: 10, 10, 20.
        (SINKING, 0.5, 0.1),
        (SINKING, 0.75, 0.6),
        (POSITIVE, -0.1, -INF),
        (POSITIVE, 1.1, INF),
    ],
)
def test_as_prometheus_answers(counts: dict[float, float], q: float, expected: float) -> None:
    assert quantile(q, counts) == pytest.approx(expected)


@pytest.mark.parametrize(
    "counts",
    [{}, {INF: 3.0}, {0.1: 1.0, 0.2: 3.0}, {0.1: 0.0, INF: 0.0}],
    ids=["nothing", "one bucket", "no +Inf", "no observation"],
)
def test_where_prometheus_has_no_answer_there_is_none(counts: dict[float, float]) -> None:
    assert math.isnan(quantile(0.5, counts))
    assert math.isnan(quantile(math.nan, POSITIVE))


@given(histograms, shares, shares)
def test_more_of_the_observations_are_never_faster(
    counts: dict[float, float], one: float, other: float
) -> None:
    low, high = quantile(min(one, other), counts), quantile(max(one, other), counts)
    assume(not math.isnan(low))
    assert low <= high * (1 + 1e-9)


@given(histograms, shares)
def test_it_lies_in_the_bucket_that_holds_it(counts: dict[float, float], q: float) -> None:
    found = quantile(q, counts)
    assume(not math.isnan(found))
    bounds = sorted(counts)
    rank = q * counts[INF]
    holding = next(at for at, bound in enumerate(bounds) if counts[bound] >= rank)
    low = bounds[holding - 1] if holding else 0.0
    high = min(bounds[holding], bounds[-2])
    assert low * (1 - 1e-9) <= found <= high * (1 + 1e-9)


@given(histograms, shares, st.integers(2, 50))
def test_only_the_shape_counts(counts: dict[float, float], q: float, factor: int) -> None:
    found = quantile(q, counts)
    assume(not math.isnan(found))
    larger = {bound: count * factor for bound, count in counts.items()}
    assert quantile(q, larger) == pytest.approx(found, rel=1e-6)


def test_buckets_are_of_the_series_that_are_chosen() -> None:
    def series(le: str, uri: str) -> frozenset[tuple[str, str]]:
        return frozenset({("le", le), ("uri", uri)})

    increases = {
        series("0.1", "/a"): 1.0,
        series("+Inf", "/a"): 2.0,
        series("0.1", "/b"): 10.0,
        series("+Inf", "/b"): 20.0,
        frozenset({("uri", "/a")}): 99.0,
    }
    assert buckets(increases, lambda _: True) == {0.1: 11.0, INF: 22.0}
    assert buckets(increases, lambda one: one["uri"] == "/a") == {0.1: 1.0, INF: 2.0}
