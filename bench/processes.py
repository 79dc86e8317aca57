"""Processes of ours: started, pinned to a core, weighed, ended by their pid."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_END_SECONDS = 20.0
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds, in MiB; `pss` shares out the pages that several map."""

    rss: float
    pss: float


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far, from /proc/<pid>/stat; steps of 10 ms."""
    # The name in brackets may itself hold blanks and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int) -> Memory:
    """From /proc/<pid>/smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
    return Memory(kib["Rss"] / 1024, kib["Pss"] / 1024)


def pin(pid: int, cores: Iterable[int]) -> None:
    """Keeps all threads of a process, and those that they start, on these cores."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cores)


@contextmanager
def running(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of its own session, so that Ctrl-C ends it through us; both outputs in `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 our own commands
            command, env=env, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Returns when the condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain")
        time.sleep(0.02)
