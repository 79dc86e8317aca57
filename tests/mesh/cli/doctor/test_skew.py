"""Clocks: only what the question's own duration cannot explain counts."""

import pytest

from mesh.cli.doctor.finding import Level
from mesh.cli.doctor.skew import compared


@pytest.mark.parametrize(
    ("theirs", "level"),
    [
        (100.0, Level.OK),
        (100.5, Level.OK),
        (103.0, Level.OK),
        (104.5, Level.WARN),
        (97.0, Level.WARN),
        (30.0, Level.FAIL),
        (200.0, Level.FAIL),
    ],
)
def test_a_clock_against_ours(theirs: float, level: Level) -> None:
    assert compared("token.store", theirs, 100.0, 103.0).level is level


def test_the_direction_is_told() -> None:
    assert "40.0 s behind" in compared("x", 60.0, 100.0, 101.0).what
    assert "39.0 s ahead of" in compared("x", 140.0, 100.0, 101.0).what
