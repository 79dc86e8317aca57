"""Runs several programs as one: up together, down in order, up again after a crash."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from mesh.cli.backoff import Backoff
from mesh.cli.child import Child, Program
from mesh.cli.forks import Forks
from mesh.cli.parent import PARENT_FD
from mesh.cli.refusal import StartError

POLL_SECONDS = 0.05


class Supervisor:
    """Forks the programs off at once and stops them in the order given, a group at a time.

    `say` gets a program's name and a line it printed, `tell` what happens to
    the programs, `changed` the pids by name. Times are in seconds. A start that fails ends
    at once; `start_seconds` are for one that hangs, or for a busy machine.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        forks: Forks,
        env: Mapping[str, str],
        say: Callable[[str, str], None],
        tell: Callable[[str], None],
        changed: Callable[[Mapping[str, int | None]], None] = lambda _pids: None,
        backoff: Callable[[], Backoff] = Backoff,
        start_seconds: float = 180.0,
        drain_seconds: float = 10.0,
    ) -> None:
        self._programs = programs
        self._forks, self._env = forks, env
        self._say, self._tell, self._changed = say, tell, changed
        self._backoff = backoff
        self._start_seconds, self._drain_seconds = start_seconds, drain_seconds
        self._children: list[Child] = []
        self._stop = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Runs until `stop`, then drains; `ready` is called once all are healthy.

        Raises StartError, after the others have been drained, when one does not come up.
        """
        problem: StartError | None = None
        with _lifeline() as descriptor:
            self._children = [self._child(program, descriptor) for program in self._programs]
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    group.create_task(child.keep())
                try:
                    await self._serve(ready)
                except StartError as error:
                    problem = error
                finally:
                    await self._drain()
        if problem is not None:
            raise problem

    @property
    def stopping(self) -> bool:
        """Whether the drain has been asked for."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Asks for the drain."""
        self._stop.set()

    def kill(self) -> None:
        """Ends every program at once."""
        self._stop.set()
        for child in self._children:
            child.kill()

    async def _serve(self, ready: Callable[[], None]) -> None:
        if await self._before_stop(self._all_healthy()):
            ready()
            await self._stop.wait()

    async def _before_stop(self, work: Awaitable[None]) -> bool:
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            return not self._stop.is_set()
        finally:
            working.cancel()
            stopping.cancel()

    async def _all_healthy(self) -> None:
        waits = [asyncio.ensure_future(self._healthy(child)) for child in self._children]
        try:
            async with asyncio.timeout(self._start_seconds):
                await asyncio.gather(*waits)
        except TimeoutError:
            late = ", ".join(c.program.name for c in self._children if not c.was_healthy)
            raise StartError(f"not healthy after {self._start_seconds:g} s: {late}") from None
        finally:
            for wait in waits:
                wait.cancel()

    async def _healthy(self, child: Child) -> None:
        # A stranger may answer at the address, so the child must be there too.
        while child.pid is None or not await child.program.healthy():
            if child.failure is not None:
                raise StartError(child.failure)
            await asyncio.sleep(POLL_SECONDS)
        child.was_healthy = True

    async def _drain(self) -> None:
        for _, group in groupby(
            self._children, lambda each: each.program.group or each.program.name
        ):
            await asyncio.gather(*(child.stop(self._drain_seconds) for child in group))

    def _child(self, program: Program, descriptor: int) -> Child:
        return Child(
            program,
            forks=self._forks,
            env={**self._env, **program.env},
            inherited={PARENT_FD: descriptor},
            say=lambda line: self._say(program.name, line),
            tell=self._tell,
            changed=self._report,
            backoff=self._backoff(),
        )

    def _report(self) -> None:
        self._changed({child.program.name: child.pid for child in self._children})


@contextmanager
def _lifeline() -> Iterator[int]:
    """The read end of a pipe whose write end dies with this process; see mesh.cli.parent."""
    read, write = os.pipe()
    try:
        yield read
    finally:
        os.close(read)
        os.close(write)
