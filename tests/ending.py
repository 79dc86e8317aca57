"""SIGTERM ends a run of pytest in order: fixtures end the processes that they have started.

A plugin of pytest's. CI ends a run by SIGTERM, to pytest alone or to its whole process group,
and Python would end at once, with nothing done.
"""

import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

_ASKED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ASKED] = False
    signal.signal(signal.SIGTERM, partial(_end, config))


def _end(config: pytest.Config, _number: int, _frame: FrameType | None) -> None:
    # Once is enough, and it may come again: to the group, and from whoever hands it on. Not
    # SIG_IGN, which what fixtures run from here on would inherit.
    signal.signal(signal.SIGTERM, _heeded)
    config.stash[_ASKED] = True
    controller = config.pluginmanager.getplugin("dsession")
    if controller is None:
        raise KeyboardInterrupt
    # Of xdist's: interrupted itself, it would have its workers killed ten seconds later. So it
    # waits for what they end with, however long that takes.
    controller.shouldstop = signal.SIGTERM.name
    for pid in _children():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _heeded(_number: int, _frame: FrameType | None) -> None:
    pass


def _children() -> list[int]:
    lists = Path("/proc/self/task").glob("*/children")
    return [int(pid) for each in lists for pid in each.read_text().split()]


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None and session.config.stash[_ASKED]:
        # Told of an interruption, xdist would begin another worker in this one's place.
        ending = {"exitstatus": 128 + signal.SIGTERM, "shouldstop": signal.SIGTERM.name}
        output.update(ending)
