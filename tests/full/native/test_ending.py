"""SIGTERM, as CI sends it at its time limit, leaves nothing running and no folder behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.system import gone, until

ROOT = Path(__file__).parents[3]
To = Callable[[int, int], None]
# A run of scripts/test_full.py on other scripts than the parts' own.
RUN = """
import sys
from pathlib import Path
from scripts import test_full
test_full.PARTS = Path(sys.argv[1])
sys.exit(test_full.main(sys.argv[2:]))
"""
# It waits at the verb that the folder has a file of.
STAND_IN = """#!/usr/bin/env bash
cd "$(dirname "$0")"
[[ $1 == install ]] || echo "$*" >>said
[[ $1 != up ]] || touch "$2/parts.env"
[[ ! -e slow-$1 ]] || exec sleep 600
"""
TEST = """
import time
from pathlib import Path
import pytest
def say(word):
    with Path(__file__).with_name("said").open("a") as said:
        said.write(f"{word}\\n")
@pytest.fixture
def thing():
    yield
    say("ended")
def test_that_waits(thing):
    # Not in the fixture: until that has returned, nobody knows yet what would end it.
    say("begun")
    time.sleep(600)
"""
PART = """#!/usr/bin/env bash
bash -c 'echo $$ >"$1/building"; sleep 600; true' - "$2"
"""


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell that runs pytest beside itself has it ignore SIGINT, which no script unlearns."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def started(*command: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(  # noqa: S603 our own script
        command, cwd=ROOT, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(folder: Path, wait_for: str, *options: str, to: To = os.kill) -> list[str]:
    """What the stand-in and the test said of a run that gets SIGTERM at this word."""
    for name in ("docker-compose", "alertmanager", "prometheus", "tmux", "parts"):
        script(folder / f"{name}.sh", STAND_IN)
    test, said = folder / "test_waits.py", folder / "said"
    test.write_text(TEST)
    said.touch()
    # From a folder of its own it would find no settings.
    ours = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder))
    arguments = (str(folder / "parts.sh"), str(test), *ours, *options)
    with started(sys.executable, "-c", RUN, *arguments) as process:
        until(lambda: wait_for in said.read_text(), 60)
        to(process.pid, signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    return said.read_text().split()


# CI may send it to the whole process group.
@pytest.mark.parametrize("to", [os.kill, os.killpg], ids=["script", "group"])
@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_run_that_is_ended_ends_its_tests_and_then_its_parts(
    tmp_path: Path, workers: str, to: To
) -> None:
    words = run(tmp_path, "begun", "-n", workers, to=to)
    up, folder, *parts, begun, ended, down, again = words
    assert (up, begun, ended, down) == ("up", "begun", "ended", "down")
    assert "postgresql" in parts
    assert folder == again
    assert not Path(folder).exists()


def test_a_run_that_is_ended_while_its_parts_come_up_ends_them(tmp_path: Path) -> None:
    (tmp_path / "slow-up").touch()
    _, folder, *_, down, again = run(tmp_path, "jaeger")
    assert (down, again) == ("down", folder)
    assert not Path(folder).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_parts_that_come_up_end_with_all_that_their_scripts_run(
    tmp_path: Path, number: signal.Signals
) -> None:
    source = ROOT / "compose" / "native" / "parts.sh"
    parts = script(tmp_path / "parts.sh", source.read_text())
    script(tmp_path / "redis.sh", PART)
    building = tmp_path / "building"
    with started(parts, "up", tmp_path, "redis") as process:
        until(lambda: building.exists() and bool(building.read_text()), 20)
        os.kill(process.pid, number)
        assert process.wait(20) == 130
    until(lambda: gone(int(building.read_text())), 5)
