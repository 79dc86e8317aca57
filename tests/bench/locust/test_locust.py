"""Scenarios for a moment, as processes, against a system of their own.

Two of them: one over several calls of the edge, one by gRPC. `make load-check` runs all.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import ROOT

pytestmark = pytest.mark.e2e
MAIN = {"purchase": "purchase saga", "publish": "publish"}


def test_scenarios_do_what_they_are_there_for(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    choices = ("--up", "--users", "2", "--duration", "8s", "--rate", "4", "--report", str(file))
    done = subprocess.run(  # noqa: S603 our own command
        [sys.executable, "-m", "bench.locust", *MAIN, *choices],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = {one["scenario"]: one for one in json.loads(file.read_text())["scenarios"]}
    assert set(told) == set(MAIN)
    for scenario, name in MAIN.items():
        calls = {one["call"]: one for one in told[scenario]["calls"]}
        assert calls[name]["requests"] >= 1, (scenario, calls)
        assert told[scenario]["failures"] == []
