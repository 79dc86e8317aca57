from hypothesis import given
from hypothesis import strategies as st

from svc_analytics.domain.anomaly import Comparison, compare

TOKENS = st.integers(0, 10**12)
BASELINES = st.lists(TOKENS, min_size=1, max_size=24)


@given(BASELINES, TOKENS, st.floats(1, 100))
def test_an_anomaly_needs_a_baseline_and_the_threshold(
    baseline: list[int], current: int, threshold: float
) -> None:
    found = compare(baseline, current, threshold=threshold)
    assert found.baseline_average == sum(baseline) / len(baseline)
    assert (found.ratio is None) == (sum(baseline) == 0)
    assert found.anomaly == (found.ratio is not None and found.ratio >= threshold)


@given(st.integers(1, 10**9), st.integers(1, 24), st.integers(1, 50))
def test_a_whole_multiple_of_a_steady_baseline_is_exactly_that_ratio(
    tokens: int, windows: int, times: int
) -> None:
    found = compare([tokens] * windows, tokens * times, threshold=float(times))
    assert found.ratio == times
    assert found.anomaly


@given(st.integers(1, 24), TOKENS)
def test_an_empty_baseline_has_no_ratio_and_no_anomaly(windows: int, current: int) -> None:
    assert compare([0] * windows, current, threshold=1.0) == Comparison(
        current_tokens=current, baseline_average=0.0, ratio=None, anomaly=False
    )


def test_just_below_the_threshold_is_no_anomaly() -> None:
    assert not compare([100], 199, threshold=2.0).anomaly
