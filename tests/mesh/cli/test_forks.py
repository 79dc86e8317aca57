"""Functions in processes of their own: what they get, and how they ended."""

import asyncio
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from mesh.cli.forks import Fork, Forks
from tests.mesh.cli.processes import gone

# Prints what a process has about it.
ABOUT = """
import json, os, sys
print(json.dumps({
    "pid": os.getpid(), "session": os.getsid(0), "env": dict(os.environ),
    "given": os.read(int(os.environ["GIVEN"]), 5).decode(), "modules": list(sys.modules),
    "stdin": os.readlink("/proc/self/fd/0"),
}))
print("to stderr", file=sys.stderr)
"""


class Pipe:
    """What a fork prints, and a file that is given to it."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.theirs, self.ours = os.pipe()
        os.write(self.ours, b"hello")

    def start(self, forks: Forks, text: str) -> Fork:
        return forks.start(
            partial(exec, text, {}),
            env={"ONLY": "this"},
            output=self.write,
            inherited={"GIVEN": self.theirs},
        )

    def close(self) -> str:
        """All that has been printed."""
        os.close(self.write)
        with os.fdopen(self.read) as read:
            printed = read.read()
        os.close(self.theirs)
        os.close(self.ours)
        return printed


def _ran(text: str) -> tuple[Fork, int, str]:
    async def run() -> tuple[Fork, int, str]:
        pipe = Pipe()
        fork = pipe.start(Forks("mesh.cli.forks"), text)
        code = await asyncio.wait_for(fork.wait(), 20)
        return fork, code, pipe.close()

    return asyncio.run(run())


def test_a_fork_has_its_own_session_environment_and_files() -> None:
    fork, code, printed = _ran(ABOUT)
    about = json.loads(printed.splitlines()[0])
    assert (code, fork.returncode) == (0, 0)
    assert about["pid"] == about["session"] == fork.pid
    assert set(about["env"]) == {"ONLY", "GIVEN"}
    assert about["given"] == "hello"
    assert about["stdin"] == "/dev/null"
    assert printed.splitlines()[1] == "to stderr"


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("raise SystemExit(2)", 2),
        ("raise ValueError('oops')", 1),
        ("import os; os._exit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
    ],
)
def test_how_a_fork_ended_is_told_as_of_a_subprocess(text: str, ended: int) -> None:
    _, code, printed = _ran(text)
    assert code == ended
    assert ("oops" in printed) == ("oops" in text)


def test_a_fork_that_is_not_waited_for_any_more_is_left_running() -> None:
    async def run() -> None:
        pipe = Pipe()
        fork = pipe.start(Forks("mesh.cli.forks"), "import time; time.sleep(600)")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fork.wait(), 0.01)
        assert fork.returncode is None
        os.kill(fork.pid, signal.SIGKILL)
        assert await asyncio.wait_for(fork.wait(), 20) == -signal.SIGKILL
        pipe.close()

    asyncio.run(run())


def test_when_the_fork_server_dies_its_processes_do_and_the_next_one_has_another() -> None:
    async def run() -> None:
        pipe, forks = Pipe(), Forks("mesh.cli.forks")
        fork = pipe.start(forks, "import time; time.sleep(600)")
        os.kill(int(_stat(fork.pid)[1]), signal.SIGKILL)
        await asyncio.wait_for(fork.wait(), 20)
        async with asyncio.timeout(20):
            while not gone(fork.pid):  # noqa: ASYNC110 nobody is told of a stranger's end
                await asyncio.sleep(0.01)
        assert await asyncio.wait_for(pipe.start(forks, "raise SystemExit(2)").wait(), 20) == 2
        pipe.close()

    asyncio.run(run())


def _stat(pid: int) -> list[str]:
    """State, parent and what follows; see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


# A fork server of its own: that of this process is there already, with other modules.
PRELOADED = """
import asyncio, os, sys
from functools import partial
from mesh.cli.forks import Forks

async def main():
    assert "colorsys" not in sys.modules
    forks = Forks("colorsys")
    await forks.ready()
    there = partial(exec, "import sys; sys.exit(7 if 'colorsys' in sys.modules else 0)", {})
    fork = forks.start(there, env={}, output=1, inherited={})
    print(await fork.wait())

asyncio.run(main())
"""


def test_forks_have_what_was_imported_for_them() -> None:
    async def run() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PRELOADED, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await asyncio.wait_for(process.communicate(), 20)
        return printed

    assert asyncio.run(run()).split() == [b"7"]


# In a group of its own, as `leaky up` in a terminal: it hears of the signal, and the fork does not.
SIGNALLED = """
import asyncio, os, signal, sys
from functools import partial
from mesh.cli.forks import Forks

number = int(sys.argv[1])
sleep = partial(exec, "import time; print('up', flush=True); time.sleep(600)", {})

async def main():
    # Whoever runs this may ignore it, as nohup does.
    signal.signal(number, signal.SIG_DFL)
    forks = Forks("mesh.cli.preload")
    await forks.ready()
    signal.signal(number, signal.SIG_IGN)
    read, write = os.pipe()
    fork = forks.start(sleep, env={}, output=write, inherited={})
    os.read(read, 3)
    os.killpg(0, number)
    # It would not start if the fork server had died, and it is told before it can have begun.
    other = forks.start(sleep, env={}, output=write, inherited={})
    os.kill(other.pid, number)
    print(await other.wait())
    os.kill(fork.pid, signal.SIGKILL)
    print(await fork.wait())

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_group_is_the_parents_and_one_to_a_fork_is_the_forks(
    number: signal.Signals,
) -> None:
    async def run() -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SIGNALLED, str(int(number))),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), 60)
        return printed

    assert asyncio.run(run()).split() == [str(-number).encode(), b"-9"]


def test_what_services_share_is_imported_before_they_are_forked_off_and_nothing_of_theirs() -> None:
    async def run() -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c"),
            "import mesh.cli.preload, sys, os;"
            "print(*sys.modules); print(len(os.listdir('/proc/self/task')))",
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), 60)
        return printed

    modules, threads = asyncio.run(run()).decode().splitlines()
    assert {"grpc.aio", "sqlalchemy", "fastapi", "mesh.runtime"} <= set(modules.split())
    # Its metrics would be shown by all others too.
    assert not [name for name in modules.split() if name.startswith(("svc_", "providers"))]
    # A thread would not be there in a fork, and what it holds would be held for ever.
    assert threads == "1"
