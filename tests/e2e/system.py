"""Starts `leaky up` and takes it down again, by pid."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import httpx

from tests.ports import free_ports

START_SECONDS = 90.0
PORTS = (
    *(
        f"{name}.{kind}-port"
        for name in ("gateway", "auth", "token", "analytics")
        for kind in ("http", "grpc", "health")
    ),
    *(f"stubs.{name}.http-port" for name in ("qwen", "gemini", "openai")),
    "stubs.grpc-port",
    "stubs.health-port",
)


class System:
    """One `leaky up` over one data folder; may be started more than once.

    `instances` and `workers` are what it is told, such as "token=2"; `operator` is what only
    commands find in their environment, not the services.
    """

    command: Sequence[str] = (sys.executable, "-m", "mesh.cli", "up")
    start_seconds = START_SECONDS
    end_seconds = 30.0

    def __init__(
        self,
        data: Path,
        env: Mapping[str, str],
        *,
        instances: Sequence[str] = (),
        workers: int = 0,
        operator: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self._operator = operator or {}
        self._options = [word for each in instances for word in ("--instances", each)]
        if workers:
            self._options += ["--workers", str(workers)]
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        ports = {_variable(name): str(port) for name, port in self.ports.items()}
        clean = {key: value for key, value in os.environ.items() if not key.startswith("LEAKY_")}
        self.env = clean | ports | {"LEAKY_DATA": str(data)} | dict(env)
        self._process: subprocess.Popen[bytes] | None = None
        self.log_file = data.parent / f"{data.name}.log"

    def url(self, service: str = "gateway") -> str:
        """Where a service's REST is; "stubs.openai" for a double's."""
        return f"http://127.0.0.1:{self.ports[f'{service}.http-port']}"

    def target(self, service: str) -> str:
        """Where a service's gRPC is."""
        return f"127.0.0.1:{self.ports[f'{service}.grpc-port']}"

    def leaky(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a `leaky` command on this system's settings."""
        return subprocess.run(  # noqa: S603 our own command
            [sys.executable, "-m", "mesh.cli", *arguments],
            env={**self.env, **self._operator},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self) -> Self:
        """Returns when every service is healthy."""
        self.log_file.touch()
        said = len(self.log())
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own command
                [*self.command, *self._options],
                env=self.env,
                stdout=log,
                stderr=log,
            )
        until(lambda: "ready in" in self.log()[said:] or self._ended(), self.start_seconds)
        if self._ended():
            raise RuntimeError(self.log()[-3000:])
        return self

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def log(self) -> str:
        """What all services have said so far."""
        return self.log_file.read_text(errors="replace")

    @contextmanager
    def up(self) -> Iterator[Self]:
        """Started, and ended."""
        with ExitStack() as stack:
            stack.callback(self.end)
            yield self.start()

    def end(self) -> None:
        """Drains; what does not end is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self.end_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """kill -9 of every process of this system at once."""
        assert self._process is not None
        pids = [*self.pids().values(), self._process.pid]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        until(lambda: all(map(gone, pids)), 10)

    @contextmanager
    def left_alone(self) -> Iterator[None]:
        """Nothing that ends meanwhile is started again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def pids(self) -> dict[str, int]:
        """The pid of each process by its name, such as "token" and "token.2"."""
        running = json.loads((self.data / "up.json").read_text())
        return {one["name"]: one["pid"] for one in running if one["pid"]}

    def client(self, service: str = "gateway") -> httpx.Client:
        """An HTTP client of a service."""
        return httpx.Client(base_url=self.url(service), timeout=15)


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Returns when the condition holds; fails when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not held(condition):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def held(condition: Callable[[], bool]) -> bool:
    """Whether it holds; an answer that it could not be asked just now is no yes."""
    try:
        return condition()
    except httpx.HTTPStatusError as error:
        if error.response.status_code not in {503, 504}:
            raise
        return False


def _variable(name: str) -> str:
    return "LEAKY_" + name.upper().replace(".", "_").replace("-", "_")


def gone(pid: int) -> bool:
    """Whether a process has ended, also one that nobody has waited for yet."""
    try:
        return b"\nState:\tZ" in Path(f"/proc/{pid}/status").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
