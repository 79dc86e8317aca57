from hypothesis import given
from hypothesis import strategies as st

from svc_analytics.domain.window import MINUTE_US, SECOND_US, Buckets, Window, cut

NOWS = st.integers(0, 4_000_000_000_000_000)
MINUTES = st.integers(1, 43_200)


@given(NOWS, MINUTES)
def test_a_window_is_as_long_as_asked_and_holds_this_very_microsecond(
    now: int, minutes: int
) -> None:
    window = Window.until(now, minutes=minutes)
    assert window.length_us == minutes * MINUTE_US
    assert window.start_us <= now < window.end_us
    assert now + 1 == window.end_us


@given(NOWS, MINUTES, st.integers(1, 24))
def test_a_window_with_those_before_it_is_cut_back_into_them(
    now: int, minutes: int, count: int
) -> None:
    window = Window.until(now, minutes=minutes)
    stretch = Buckets(window=window.with_before(count), width_us=window.length_us)
    assert stretch.count == count + 1
    assert stretch.start_us(count) == window.start_us
    assert stretch.index(window.start_us) == count
    assert stretch.index(window.start_us - 1) == count - 1


@given(NOWS, MINUTES, st.integers(1, 500), st.floats(0, 1, exclude_max=True))
def test_every_moment_of_a_window_is_in_exactly_the_bucket_that_spans_it(
    now: int, minutes: int, at_most: int, part: float
) -> None:
    window = Window.until(now, minutes=minutes)
    buckets = cut(window, at_most=at_most)
    moment = window.start_us + int(part * window.length_us)
    index = buckets.index(moment)
    assert 0 <= index < buckets.count
    assert buckets.start_us(index) <= moment < buckets.start_us(index + 1)


@given(MINUTES, st.integers(1, 500))
def test_a_cut_has_whole_seconds_never_too_many_buckets_and_is_the_finest(
    minutes: int, at_most: int
) -> None:
    window = Window.until(0, minutes=minutes)
    buckets = cut(window, at_most=at_most)
    seconds, rest = divmod(buckets.width_us, SECOND_US)
    assert rest == 0
    assert 1 <= buckets.count <= at_most
    assert seconds == 1 or (seconds - 1) * at_most < minutes * 60
    assert buckets.start_us(buckets.count - 1) < window.end_us <= buckets.start_us(buckets.count)


def test_an_hour_in_sixty_is_a_minute_each() -> None:
    buckets = cut(Window.until(0, minutes=60), at_most=60)
    assert (buckets.count, buckets.width_us) == (60, MINUTE_US)


def test_a_minute_in_five_hundred_is_sixty_seconds() -> None:
    buckets = cut(Window.until(0, minutes=1), at_most=500)
    assert (buckets.count, buckets.width_us) == (60, SECOND_US)
