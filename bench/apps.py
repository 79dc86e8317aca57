"""The yardsticks, served."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from socket import create_connection

from bench.processes import running, until
from bench.yardsticks import NAMES
from tests.ports import free_ports

_START_SECONDS = 20.0
Apps = dict[str, tuple[int, int]]


@contextmanager
def serving(folder: Path) -> Iterator[Apps]:
    """Their ports and pids by their names."""
    with ExitStack() as stack:
        served = {}
        for name, port in zip(NAMES, free_ports(len(NAMES)), strict=True):
            command = (sys.executable, "-m", "bench.yardsticks", name, str(port))
            process = stack.enter_context(running(command, folder / f"{name}.log"))
            served[name] = (port, process.pid)
        for port, _ in served.values():
            until(partial(answers, port), _START_SECONDS)
        yield served


def answers(port: int) -> bool:
    """Whether anybody listens there."""
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
