"""Instructions of processes, counted by perf where the machine lets it.

They hardly depend on what else the machine does, which CPU time does.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

EVENT = "instructions:u"
_SECONDS = 10.0


@dataclass(slots=True)
class Count:
    """How many there were; 0 until the counting has ended, and where there is no counter."""

    total: float = 0.0


def countable(event: str = EVENT) -> bool:
    """Whether perf is installed, and the machine has the counter."""
    perf = shutil.which("perf")
    if not perf:
        return False
    command = (perf, "stat", "--field-separator", ",", "--event", event, "true")
    done = subprocess.run(  # noqa: S603 our own arguments
        command, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    return done.returncode == 0 and parse(done.stderr) > 0


@contextmanager
def counting(pids: Iterable[int], event: str = EVENT) -> Iterator[Count]:
    """All threads of these processes until the block ends, and those that they start."""
    count = Count()
    with tempfile.NamedTemporaryFile("r", suffix=".csv") as output:
        who = ",".join(map(str, pids))
        command = ("perf", "stat", "--field-separator", ",", "--event", event, "--pid", who)
        perf = _counting((*command, "--output", output.name))
        try:
            yield count
        finally:
            perf.send_signal(signal.SIGINT)
            perf.wait(_SECONDS)
        count.total = parse(Path(output.name).read_text())


def _counting(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Perf, once it counts or has ended as it cannot. Source: perf-stat(1), `--control`."""
    (told, tell), (heard, say) = os.pipe(), os.pipe()
    with os.fdopen(tell, "wb", buffering=0) as asking, os.fdopen(heard, "rb") as answers:
        control = ("--delay", "-1", "--control", f"fd:{told},{say}")
        perf = subprocess.Popen((*command, *control), pass_fds=(told, say))  # noqa: S603
        os.close(told)
        os.close(say)
        with suppress(BrokenPipeError):
            asking.write(b"enable\n")
            answers.readline()
    return perf


def parse(output: str) -> float:
    """The figure of `perf stat --field-separator ,`; 0 when it could not be counted."""
    for line in output.splitlines():
        value, _, rest = line.partition(",")
        if rest and not line.startswith("#"):
            return float(value) if value.replace(".", "", 1).isdigit() else 0.0
    return 0.0
