import os
import shutil
from subprocess import Popen

import pytest

from bench.instructions import countable, counting, parse

COUNTED = "# started on Sun Nov 29\n\n123456,,instructions:u,1000,100.00,,\n"
MISSING = "<not supported>,,instructions:u,0,100.00,,\n"
# What every machine has, unlike a counter of instructions.
SOFTWARE = "task-clock"


def test_the_figure_of_perf() -> None:
    assert parse(COUNTED) == 123456.0
    assert parse("1.25,msec,task-clock,1250,100.00,0.4,CPUs utilized\n") == 1.25


@pytest.mark.parametrize("output", ["", "# only this\n", MISSING, "<not counted>,,x,0,0.00,,\n"])
def test_no_counter_is_no_figure(output: str) -> None:
    assert parse(output) == 0.0


def test_a_machine_without_perf_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not countable()


@pytest.mark.skipif(not countable(SOFTWARE), reason="perf is not installed, or may not count")
def test_other_processes_are_counted() -> None:
    shell = shutil.which("sh") or ""
    with Popen([shell, "-c", "while :; do :; done"]) as busy:  # noqa: S603 our own
        try:
            with counting([busy.pid, os.getpid()], SOFTWARE) as count:
                sum(range(2_000_000))
            assert count.total > 0
        finally:
            busy.kill()
