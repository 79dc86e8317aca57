"""A PostgreSQL of the benchmark's own, as it is shipped, and gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.ports import free_port

SCRIPT = Path(__file__).resolve().parents[2] / "compose" / "native" / "postgresql.sh"
_TICKS = os.sysconf("SC_CLK_TCK")
# What decides how much a commit costs.
SHOWN = ("server_version", "fsync", "synchronous_commit", "commit_delay", "shared_buffers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The URL of svc_token's database; the server's process, where it is one of our own."""

    url: str
    pid: int | None = None

    @property
    def embedded(self) -> bool:
        """Whether it is SQLite, in this process."""
        return self.url.startswith("sqlite:")

    def cpu_seconds(self) -> float:
        """CPU of all of the server's processes so far; 0 where they are not ours to see."""
        if self.pid is None:
            return 0.0
        fields = map(_fields, Path("/proc").glob("[0-9]*/stat"))
        # Of those that have ended, the first one keeps the sum.
        ended = sum(map(int, _fields(Path(f"/proc/{self.pid}/stat"))[11:15]))
        parent = str(self.pid)
        running = sum(int(each[11]) + int(each[12]) for each in fields if each[1:2] == [parent])
        return (ended + running) / _TICKS


@contextmanager
def postgresql() -> Iterator[Server]:
    """A new server."""
    # Not under TMPDIR, which may be one that PostgreSQL's user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="leaky-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    env = {**os.environ, "POSTGRESQL_PORT": str(free_port())}
    try:
        _run("start", folder, env)
        told = _run("url", folder, env).split("PARTS_POSTGRESQL=")[1].split()[0]
        pid = (folder / "postgresql" / "data" / "postmaster.pid").read_text().split()[0]
        yield Server(url=f"{told.rstrip('/')}/leaky_token", pid=int(pid))
    finally:
        _run("stop", folder, env)
        shutil.rmtree(folder)


async def told_of(url: str) -> dict[str, str]:
    """The server's version and the settings that matter here."""
    connection = await asyncpg.connect(url)
    try:
        return {name: str(await connection.fetchval(f"SHOW {name}")) for name in SHOWN}
    finally:
        await connection.close()


def _fields(stat: Path) -> list[str]:
    # The name in brackets may itself hold blanks and brackets.
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _run(verb: str, folder: Path, env: dict[str, str]) -> str:
    command = [str(SCRIPT), verb, str(folder)]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return done.stdout
