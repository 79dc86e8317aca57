"""Processes forked off one that has imported everything already.

Importing costs each service most of its start; so it is paid once, and what was
imported lies in memory once. The fork server is Python's own (multiprocessing).
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from typing import Any, cast

_STDOUT, _STDERR = 1, 2
# What Python says of a process when the fork server, whose child it is, has died.
_UNKNOWN = 255
# Python's fork server ignores SIGINT, but dies of these, and its processes with it.
KEPT_FROM_FORK_SERVER = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """An open file's number, which is another in the process it is given to."""

    number: int

    def __reduce__(self) -> tuple[Callable[[Any], "Descriptor"], tuple[Any]]:
        """Pickled only while a process starts; see multiprocessing.reduction."""
        return _received, (DupFd(self.number),)


def _received(sent: Any) -> Descriptor:
    return Descriptor(sent.detach())


class Fork:
    """A running function: its pid, and how it ended."""

    def __init__(self, process: ForkServerProcess) -> None:
        self.pid = cast("int", process.pid)
        # As with subprocesses: None while it runs, minus the signal that ended it.
        self.returncode: int | None = None
        self._process = process

    async def wait(self) -> int:
        """Returns its exit code once it has ended; one caller only.

        When the fork server dies nobody would learn how its processes end: they end with it.
        """
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        self.returncode = self._process.exitcode or 0
        if self.returncode == _UNKNOWN:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._process.close()
        return self.returncode


class Forks:
    """Starts functions in processes of their own."""

    def __init__(self, module: str) -> None:
        """`module` is what all of them have imported, with all that it imports."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([module])

    async def ready(self) -> None:
        """Returns once `module` is there.

        Not waited for on the loop, as it takes a second or two; later starts take milliseconds.
        """
        await asyncio.to_thread(self._first)

    def _first(self) -> None:
        process = self._context.Process(target=int)
        process.start()
        process.join()

    def start(
        self,
        target: Callable[[], None],
        *,
        env: Mapping[str, str],
        output: int,
        inherited: Mapping[str, int],
    ) -> Fork:
        """Calls `target`, which must be picklable, in a session of its own.

        `env` is all that it finds in its environment, beside the `inherited` files' numbers
        by the variables that name them; stdout and stderr go to the file `output`.
        """
        files = {name: Descriptor(number) for name, number in inherited.items()}
        run = partial(_run, target, dict(env), Descriptor(output), files)
        process = self._context.Process(target=run)
        process.start()
        return Fork(process)


def _run(
    target: Callable[[], None],
    env: Mapping[str, str],
    output: Descriptor,
    inherited: Mapping[str, Descriptor],
) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, KEPT_FROM_FORK_SERVER)
    # A session of its own, so that Ctrl-C reaches the parent alone, which sets the order.
    os.setsid()
    for standard in (_STDOUT, _STDERR):
        os.dup2(output.number, standard)
    os.close(output.number)
    os.environ.clear()
    os.environ.update(env, **{name: str(file.number) for name, file in inherited.items()})
    target()
