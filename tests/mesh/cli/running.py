"""`leaky up` over the real services, on ports of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mesh.settings.names import env_name
from tests.ports import free_ports

SERVICES = ("gateway", "auth", "token", "analytics")
STUBS = ("stubs.qwen.http-port", "stubs.gemini.http-port", "stubs.openai.http-port")
PORTS = (
    *(f"{name}.{kind}-port" for name in (*SERVICES, "stubs") for kind in ("grpc", "health")),
    *(f"{name}.http-port" for name in SERVICES),
    *STUBS,
)
# Longer than `leaky up` waits itself, which then says for whom.
START_SECONDS = 240.0


def system_environment(data: Path) -> dict[str, str]:
    """For a system of a test's own: its data, its ports, and nothing else from outside."""
    clean = {key: text for key, text in os.environ.items() if not key.startswith("LEAKY_")}
    ports = zip(PORTS, free_ports(len(PORTS)), strict=True)
    return clean | {"LEAKY_DATA": str(data)} | {env_name(name): str(port) for name, port in ports}


class Up:
    """A running `leaky up`, and what it has printed."""

    def __init__(self, env: Mapping[str, str], *arguments: str) -> None:
        self.lines: list[str] = []
        self._more = threading.Condition()
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "mesh.cli", "up", *arguments],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._more.notify_all()

    def until(self, seen: Callable[[str], bool]) -> str:
        """The first line of this kind."""

        def found() -> bool:
            return any(seen(line) for line in self.lines) or not self._reading.is_alive()

        with self._more:
            self._more.wait_for(found, START_SECONDS)
            for line in self.lines:
                if seen(line):
                    return line
        raise AssertionError("\n".join(self.lines[-30:]))

    def ready(self) -> "Up":
        """Itself, once all services are healthy."""
        self.until(lambda line: "ready in" in line)
        return self

    def ended(self) -> int:
        """Its exit code, once all it printed has been read."""
        code = self.process.wait(START_SECONDS)
        self._reading.join(START_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def up(env: Mapping[str, str], *arguments: str) -> Iterator[Up]:
    """A `leaky up`, drained at the end."""
    running = Up(env, *arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
        running.ended()
