"""What the tests of the command know of processes that are not their children."""

import os
from pathlib import Path


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
