"""One process of the system: started, watched, started again, stopped."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from mesh.cli.backoff import Backoff
from mesh.cli.forks import Forks
from mesh.cli.output import open_output
from mesh.cli.refusal import USAGE

# Crashes before it was ever healthy that end the attempt to start it.
START_CRASHES = 3
OUTPUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and how to see that it works; `env` is beside what all programs get.

    `run` is called in a process of its own, so it must be picklable. Neighbours of one
    `group` are stopped together.
    """

    name: str
    run: Callable[[], None]
    healthy: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


class Child:
    """Keeps one program running until it is stopped.

    `say` gets each line it prints, and `tell` what happens to it; `changed` is
    called when its pid is another. `inherited` are file descriptors it gets, by the variables
    that name them.
    """

    def __init__(
        self,
        program: Program,
        *,
        forks: Forks,
        env: Mapping[str, str],
        inherited: Mapping[str, int],
        say: Callable[[str], None],
        tell: Callable[[str], None],
        changed: Callable[[], None],
        backoff: Backoff,
    ) -> None:
        self.program = program
        self.pid: int | None = None
        # Why it will not come up; None while it may.
        self.failure: str | None = None
        self.was_healthy = False
        self._forks, self._env, self._inherited = forks, env, inherited
        self._say, self._tell, self._changed = say, tell, changed
        self._backoff = backoff
        self._last: deque[str] = deque(maxlen=1)
        self._crashes = 0
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    async def keep(self) -> None:
        """Runs the program again and again until `stop`, or until it has failed to start."""
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping.is_set() and self.failure is None:
                started = loop.time()
                code = await self._run()
                if not self._stopping.is_set():
                    await self._crashed(code, loop.time() - started)
        finally:
            self._ended.set()

    async def _run(self) -> int:
        write, reader, transport = await open_output(self._heard)
        try:
            process = self._forks.start(
                self.program.run, env=self._env, output=write, inherited=self._inherited
            )
        finally:
            os.close(write)
        self._set_pid(process.pid)
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                self._kill()
            self._set_pid(None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.ended.wait(), OUTPUT_SECONDS)
            transport.close()

    async def _crashed(self, code: int, ran: float) -> None:
        self._crashes += 1
        if not self.was_healthy and (code == USAGE or self._crashes >= START_CRASHES):
            # A refusal is one line for people; a crash has printed what there is to say.
            why = f": {self._last[-1]}" if self._last and code == USAGE else "; see its log above"
            self.failure = f"{self.program.name} did not start ({_ending(code)}){why}"
            return
        wait = self._backoff.after(ran)
        self._tell(f"{self.program.name} {_ending(code)}; starting it again in {wait:g} s")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), wait)

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL to whatever is left of it `grace` seconds later."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._ended.wait(), grace)
        except TimeoutError:
            self._tell(f"{self.program.name} did not end within {grace:g} s, killing it")
            self._kill()
            await self._ended.wait()

    def kill(self) -> None:
        """SIGKILL at once, and no other start."""
        self._stopping.set()
        self._kill()

    def _kill(self) -> None:
        if self.pid is not None:
            # The process too, as it may not have a group of its own yet.
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError):
                    kill(self.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _set_pid(self, pid: int | None) -> None:
        self.pid = pid
        self._changed()

    def _heard(self, line: str) -> None:
        self._last.append(line)
        self._say(line)


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
