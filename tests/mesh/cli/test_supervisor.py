"""The supervisor over real processes: small ones, which do only what a test looks at."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from mesh.cli.backoff import Backoff
from mesh.cli.child import Program
from mesh.cli.forks import Forks
from mesh.cli.refusal import StartError
from mesh.cli.supervisor import Supervisor
from tests.mesh.cli.processes import gone
from tests.mesh.rpc.serving import Loop, on_travelling_loop

# Says when it is up, and again when it is asked to end.
GOOD = """
import signal, sys, threading
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
print("up", flush=True)
asked.wait()
print("drained", flush=True)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""
WRONG = "import sys; print('token.http-port: is no number', file=sys.stderr); sys.exit(2)"
CRASHES = "import sys; sys.exit('oops')"
SILENT = "import time; time.sleep(600)"


class Watched:
    """What a supervisor has said, and a way to wait for it."""

    def __init__(self, programs: Mapping[str, str], **options: float) -> None:
        self.lines: list[tuple[str, str]] = []
        self.pids: Mapping[str, int | None] = {}
        self._heard = asyncio.Event()
        self.supervisor = Supervisor(
            [self._program(name, text) for name, text in programs.items()],
            forks=Forks("mesh.cli.forks"),
            env=dict(os.environ),
            say=self._say,
            tell=lambda line: self._say("leaky", line),
            changed=self._changed,
            backoff=lambda: Backoff(first=0.001, cap=0.001),
            **options,
        )

    def _program(self, name: str, text: str) -> Program:
        async def healthy() -> bool:
            return (name, "up") in self.lines

        return Program(name=name, run=partial(exec, text, {}), healthy=healthy)

    def _say(self, name: str, line: str) -> None:
        self.lines.append((name, line))
        self._heard.set()

    def _changed(self, pids: Mapping[str, int | None]) -> None:
        self.pids = pids
        self._heard.set()

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not seen():
                self._heard.clear()
                await self._heard.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        ready = asyncio.Event()
        running = asyncio.ensure_future(self.supervisor.run(ready.set))
        await asyncio.wait_for(ready.wait(), 20)
        try:
            yield
        finally:
            self.supervisor.stop()
            await asyncio.wait_for(running, 20)


def test_programs_come_up_together_and_drain_in_order() -> None:
    async def run() -> None:
        watched = Watched({"gateway": GOOD, "token": GOOD, "auth": GOOD})
        async with watched.running():
            pids = list(watched.pids.values())
            assert None not in pids
        drained = [name for name, line in watched.lines if line == "drained"]
        assert drained == ["gateway", "token", "auth"]
        assert all(pid and gone(pid) for pid in pids)

    asyncio.run(run())


def test_a_program_is_not_asked_to_end_before_the_one_before_it_has_ended() -> None:
    async def run() -> None:
        # Which is the bound of the other one, too.
        watched = Watched({"gateway": STUBBORN, "token": GOOD}, drain_seconds=3)
        async with watched.running():
            pass
        told = [line for line in watched.lines if line[1] != "up"]
        assert told == [
            ("leaky", "gateway did not end within 3 s, killing it"),
            ("token", "drained"),
        ]

    asyncio.run(run())


def test_a_crashed_program_is_started_again() -> None:
    async def run() -> None:
        watched = Watched({"token": GOOD, "auth": GOOD})
        async with watched.running():
            first, other = watched.pids["token"], watched.pids["auth"]
            assert first
            os.kill(first, signal.SIGKILL)
            await watched.until(lambda: watched.lines.count(("token", "up")) == 2)
            assert watched.pids["token"] not in (None, first)
            assert watched.pids["auth"] == other
        told = ("leaky", "token was ended by SIGKILL; starting it again in 0.001 s")
        assert told in watched.lines

    asyncio.run(run())


def test_a_program_that_refuses_its_settings_ends_the_start_with_its_own_words() -> None:
    async def run() -> None:
        watched = Watched({"auth": GOOD, "token": WRONG})
        with pytest.raises(StartError, match=r"token did not start .*: token\.http-port"):
            await watched.supervisor.run(lambda: None)
        assert all(pid is None for pid in watched.pids.values())

    asyncio.run(run())


def test_a_program_that_keeps_crashing_at_the_start_is_given_up() -> None:
    async def run() -> None:
        watched = Watched({"token": CRASHES})
        with pytest.raises(StartError, match=r"token did not start \(ended with code 1\); see"):
            await watched.supervisor.run(lambda: None)
        assert watched.lines.count(("token", "oops")) == 3

    asyncio.run(run())


def test_a_program_that_never_gets_healthy_is_named() -> None:
    async def run(loop: Loop) -> None:
        watched = Watched({"auth": GOOD, "token": SILENT}, start_seconds=60)

        def auth_alone() -> bool:
            return [child.was_healthy for child in watched.supervisor._children] == [True, False]

        running = asyncio.ensure_future(watched.supervisor.run(lambda: pytest.fail("all is up")))
        await _until(auth_alone)
        loop.travel(60)
        with pytest.raises(StartError, match=r"not healthy after 60 s: token$"):
            await asyncio.wait_for(running, 20)

    on_travelling_loop(run)


def test_a_stop_during_the_start_ends_everything() -> None:
    async def run() -> None:
        watched = Watched({"token": SILENT})
        running = asyncio.ensure_future(watched.supervisor.run(lambda: pytest.fail("not ready")))
        await watched.until(lambda: bool(watched.pids.get("token")))
        watched.supervisor.stop()
        await asyncio.wait_for(running, 20)

    asyncio.run(run())


def test_killing_ends_what_does_not_want_to_end() -> None:
    async def run() -> None:
        watched = Watched({"token": STUBBORN})
        async with watched.running():
            pid = watched.pids["token"]
            watched.supervisor.kill()
        assert pid
        assert gone(pid)

    asyncio.run(run())


UP = """
import asyncio, sys
from functools import partial
from mesh.cli.child import Program
from mesh.cli.forks import Forks
from mesh.cli.supervisor import Supervisor

async def healthy():
    return True

program = Program(name="token", run=partial(exec, sys.argv[1], {}), healthy=healthy)
supervisor = Supervisor(
    [program],
    forks=Forks("mesh.cli.forks"),
    env={},
    say=lambda name, line: print(line, flush=True),
    tell=print,
)
asyncio.run(supervisor.run(lambda: None))
"""
# As a service does: on uvloop, with the thread beside it, which must not end it early.
ENDS_WITH_ITS_PARENT = """
import asyncio, os, uvloop
from mesh.cli.parent import end_with_parent, parent_gone
async def main():
    waiting = asyncio.ensure_future(parent_gone())
    await asyncio.sleep(0)
    end_with_parent(60)
    print(os.getpid(), flush=True)
    await waiting
    open(MARK, "w").write("drained")
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""
# One whose event loop is stuck, so that only the thread is left to end it.
IS_ENDED_WITH_ITS_PARENT = """
import asyncio, os, threading, uvloop
from mesh.cli.parent import end_with_parent, parent_gone
async def main():
    waiting = asyncio.ensure_future(parent_gone())
    await asyncio.sleep(0)
    end_with_parent(0.01)
    print(os.getpid(), flush=True)
    threading.Event().wait()
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""


async def _pid_of_child(parent: asyncio.subprocess.Process) -> int:
    assert parent.stdout is not None
    return int(await asyncio.wait_for(parent.stdout.readline(), 20))


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 the end of a stranger's child sends us no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("program", [ENDS_WITH_ITS_PARENT, IS_ENDED_WITH_ITS_PARENT])
def test_children_end_when_their_parent_is_killed(program: str, tmp_path: Path) -> None:
    async def run() -> None:
        mark = tmp_path / "mark"
        parent = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            UP,
            program.replace("MARK", repr(str(mark))),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            child = await _pid_of_child(parent)
            assert not gone(child)
        finally:
            parent.kill()
            await parent.wait()
        await _until(lambda: gone(child))
        assert mark.exists() == (program is ENDS_WITH_ITS_PARENT)

    asyncio.run(run())
