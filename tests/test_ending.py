"""A run of pytest that gets SIGTERM has its fixtures end what they have started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEST = """
import asyncio, subprocess, sys, time
from pathlib import Path
import pytest
CHILD = "import signal, time; {heeds}print('up', flush=True); time.sleep(600)"
def say(word):
    with Path(__file__).with_suffix(".said").open("a") as said:
        said.write(f"{{word}}\\n")
@pytest.fixture(scope="session")
def part():
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        say(process.pid)
        yield
        time.sleep({seconds})
        process.kill()
        say("ended")
@pytest.fixture
def anyio_backend():
    return "asyncio"
def test_that_waits(part):
    say("waiting")
    time.sleep(600)
@pytest.mark.anyio
async def test_that_waits_on_a_loop(part):
    say("waiting")
    await asyncio.sleep(600)
"""


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


class Run:
    """Pytest in a process group of its own, on tests that have begun to wait."""

    def __init__(self, folder: Path, *options: str, files: int = 1, seconds: float = 0) -> None:
        # A part that does not heed SIGTERM: it ends by its fixture or not at all.
        heeds = "signal.signal(15, signal.SIG_IGN); "
        tests = [folder / f"test_{number}.py" for number in range(files)]
        for test in tests:
            test.write_text(TEST.format(heeds=heeds, seconds=seconds))
        self._said = [test.with_suffix(".said") for test in tests]
        # From a folder of their own they would find no settings.
        ours = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder))
        command = (sys.executable, "-m", "pytest", *ours, *options, *map(str, tests))
        self.process = subprocess.Popen(  # noqa: S603 our own tests
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def said(self) -> list[list[str]]:
        return [said.read_text().split() if said.exists() else [] for said in self._said]

    @property
    def parts(self) -> list[int]:
        return [int(said[0]) for said in self.said() if said]

    def end(self) -> str:
        """What it printed, once it has ended."""
        printed, _ = self.process.communicate(timeout=90)
        return printed


@contextmanager
def running(folder: Path, *options: str, files: int = 1, seconds: float = 0) -> Iterator[Run]:
    run = Run(folder, *options, files=files, seconds=seconds)
    try:
        until(lambda: all("waiting" in said for said in run.said()))
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()


@pytest.mark.parametrize("to", [os.kill, os.killpg], ids=["pytest", "group"])
@pytest.mark.parametrize("test", ["test_that_waits", "test_that_waits_on_a_loop"])
def test_one_process_ends_what_its_fixtures_have_started(
    tmp_path: Path, to: Callable[[int, int], None], test: str
) -> None:
    with running(tmp_path, "-n", "0", "-k", f"{test} and not {test}_") as run:
        to(run.process.pid, signal.SIGTERM)
        run.end()
        assert run.process.returncode == pytest.ExitCode.INTERRUPTED
        assert [said[1:] for said in run.said()] == [["waiting", "ended"]]
        assert all(map(gone, run.parts))


# Where execnet ends a worker, it interrupts it after five seconds.
@pytest.mark.parametrize(("to", "seconds"), [(os.kill, 0), (os.killpg, 6)], ids=["pytest", "group"])
def test_workers_do_so_too_however_long_it_takes_and_none_is_begun_in_their_place(
    tmp_path: Path, to: Callable[[int, int], None], seconds: float
) -> None:
    options = ("-n", "2", "--dist", "loadfile", "-k", "test_that_waits and not loop")
    with running(tmp_path, *options, files=2, seconds=seconds) as run:
        to(run.process.pid, signal.SIGTERM)
        # As whoever hands it on does.
        to(run.process.pid, signal.SIGTERM)
        printed = run.end()
        assert run.process.returncode == pytest.ExitCode.INTERRUPTED
        assert [said[1:] for said in run.said()] == [["waiting", "ended"]] * 2
        assert all(map(gone, run.parts))
        assert "replacing" not in printed
