"""The matrix forgets no failpoint, and has no other."""

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.places import PLACES

ROOT = Path(__file__).parents[2]
LEAST = 40


def test_the_matrix_has_every_failpoint_that_the_services_declare() -> None:
    # In a process of its own: what is declared depends on what is imported.
    listed = subprocess.run(
        [sys.executable, "-m", "tests.faults.places"],
        cwd=ROOT,
        env={**os.environ, "LEAKY_FAILPOINTS": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    assert sorted(PLACES) == listed


def test_there_are_enough_of_them() -> None:
    assert len(PLACES) >= LEAST
