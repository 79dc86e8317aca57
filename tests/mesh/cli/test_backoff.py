from hypothesis import given
from hypothesis import strategies as st

from mesh.cli.backoff import Backoff


def test_each_crash_doubles_the_wait_up_to_the_cap() -> None:
    backoff = Backoff(first=0.5, cap=3.0)
    assert [backoff.after(0) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_child_that_ran_long_enough_starts_afresh() -> None:
    backoff = Backoff(first=0.5, reset_after=30)
    assert [backoff.after(ran) for ran in (0, 1, 31, 0)] == [0.5, 1.0, 0.5, 1.0]


@given(st.lists(st.floats(0, 100)))
def test_no_wait_leaves_its_bounds(runs: list[float]) -> None:
    backoff = Backoff(first=0.5, cap=30, reset_after=10)
    assert all(0.5 <= backoff.after(ran) <= 30 for ran in runs)
