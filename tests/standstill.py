"""A process that stands still for a while."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped(process: "subprocess.Popen[str]") -> Iterator[None]:
    """It does nothing meanwhile, and goes on where it was."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
