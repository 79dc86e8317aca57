"""A few seeds hold, and a seed replays exactly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.faults import Faults
from tests.simulation.run import simulate

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(1, 4))
def test_nothing_is_lost_doubled_or_overdrawn(seed: int) -> None:
    assert simulate(seed, 80).violations == ()


def test_a_seed_replays_exactly() -> None:
    first, second = simulate(7, 60, keep=True), simulate(7, 60, keep=True)
    assert first.lines == second.lines
    assert first.digest == second.digest


def test_another_seed_is_another_run() -> None:
    assert simulate(7, 20).digest != simulate(8, 20).digest


def test_a_seed_replays_in_another_process() -> None:
    # Sets of strings come in another order there.
    env = {**os.environ, "PYTHONHASHSEED": "12345"}
    command = [sys.executable, "-m", "tests.simulation", "--seed", "7", "--operations", "60"]
    said = subprocess.run(  # noqa: S603 our own
        command, cwd=ROOT, env=env, check=True, capture_output=True, text=True
    ).stdout
    result = simulate(7, 60)
    assert f"trace={result.digest}" in said
    assert said.splitlines()[-1] == f"sim seeds=1 ops={result.operations} violations=0"


def test_where_everything_goes_wrong_at_once_nothing_is_lost() -> None:
    storm = Faults(
        lost_request=0.05,
        lost_reply=0.1,
        duplicate=0.3,
        slow=0.1,
        abandon=0.2,
        conflict=0.2,
        unknown_commit=0.15,
        unanswered=0.2,
        declined=0.3,
        stop=0.02,
        crash_steps=200,
    )
    result = simulate(1, 80, faults=storm)
    assert result.violations == ()
    # It has seen what it is for.
    assert result.figures["starts"] > 5
