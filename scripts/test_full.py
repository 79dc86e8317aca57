"""Runs the tests that want the real parts: starts those on free ports, and ends them.

Arguments are pytest's; without a path among them, all such tests run: contract suites over
every store, what only a real part shows, and the system on all of them. The
parts keep their data in a folder of this run, which is removed at the end, also
when it is ended by SIGTERM.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.parts.native import PORTS
from tests.ports import free_ports

ROOT = Path(__file__).resolve().parents[1]
PARTS = ROOT / "compose" / "native" / "parts.sh"
STARTED = ("postgresql", "redis", "kafka", "cassandra", "consul", "jaeger")
# What checks files and watches systems, which tests start for themselves.
TOOLS = ("docker-compose", "alertmanager", "prometheus", "tmux")
# What stops the parts that all share, which then have to be its own.
ALONE = "tests/e2e/parts"
# What stands on a real part; what is on embedded stores alone `make test` runs.
AT_ONCE = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
RUNS = (("--real", *AT_ONCE, f"--ignore={ALONE}", "tests"), (ALONE,))
# Pytest's exit code where a run's share of what was asked for is nothing.
NO_TESTS = 5
# For pytest to end what its tests have started.
PATIENCE_SECONDS = 60.0


def main(arguments: Sequence[str]) -> int:
    """Pytest's exit code."""
    # A script that starts this beside itself has it ignore SIGINT, and so would pytest.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminated)
    chosen = any(Path(one.partition("::")[0]).exists() for one in arguments)
    for tool in TOOLS:
        _checked([PARTS.with_name(f"{tool}.sh"), "install"], os.environ)
    # One that is built or downloaded would keep those from their start that are there already.
    _checked([PARTS, "install", *STARTED], os.environ)
    with _parts() as env:
        codes = [_pytest([*arguments, *run], env) for run in ([()] if chosen else RUNS)]
    return max((code for code in codes if code != NO_TESTS), default=NO_TESTS)


def _terminated(number: int, _frame: FrameType | None) -> None:
    # Once is enough: what follows is the clean-up.
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _pytest(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    # By SIGTERM it ends what its fixtures have started: tests/ending.py.
    return _run([sys.executable, "-m", "pytest", *arguments], env)


def _checked(command: Sequence[str | Path], env: Mapping[str, str]) -> None:
    if code := _run(command, env):
        raise subprocess.CalledProcessError(code, command)


def _run(command: Sequence[str | Path], env: Mapping[str, str]) -> int:
    """The exit code; what ends this process ends that one first."""
    with subprocess.Popen(command, cwd=ROOT, env=env) as process:  # noqa: S603
        try:
            return process.wait()
        except SystemExit:
            process.terminate()
            _wait(process)
            raise
        except KeyboardInterrupt:
            # Ctrl-C has reached it too.
            _wait(process)
            raise


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def _parts() -> Iterator[dict[str, str]]:
    """The environment that tells where the parts are."""
    # Not under TMPDIR, which may be one that PostgreSQL's user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="leaky-parts-", dir="/var/tmp"))
    folder.chmod(0o755)
    env = {**os.environ, **_ports()}
    try:
        _checked([PARTS, "up", folder, *STARTED], env)
        lines = (folder / "parts.env").read_text().splitlines()
        told = dict(line.split("=", 1) for line in lines)
        yield {**os.environ, **told, "PARTS_DIR": str(folder)}
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _checked([PARTS, "down", folder], env)
        shutil.rmtree(folder)


def _ports() -> dict[str, str]:
    names = [name for part in STARTED for name in PORTS[part]]
    return dict(zip(names, map(str, free_ports(len(names))), strict=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
