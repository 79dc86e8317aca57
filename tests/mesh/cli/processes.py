"""What the tests of the command know of processes that are not their children."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesh.cli.data import held, service_lock


def gone(pid: int) -> bool:
    """Whether it has ended; one that nobody has waited for yet has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return Path("/proc/self").exists()


@contextmanager
def running_on(data: Path, service: str = "token") -> Iterator[None]:
    """This process is what runs the service on the data folder, as the command sees it."""
    data.mkdir(exist_ok=True)
    with held(service_lock(data, service), service):
        yield
