"""A part of a test's own, from compose/native/: it may be stopped, killed and thrown away."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.ports import free_ports

SCRIPTS = Path(__file__).parents[2] / "compose" / "native"
# A JVM on a machine that is busy with other tests.
PATIENCE_SECONDS = 240.0
PORTS = {
    "postgresql": ("POSTGRESQL_PORT",),
    "redis": ("REDIS_PORT",),
    "kafka": ("KAFKA_PORT", "KAFKA_CONTROLLER_PORT"),
    "cassandra": ("CASSANDRA_PORT", "CASSANDRA_STORAGE_PORT", "CASSANDRA_JMX_PORT"),
    "consul": (
        "CONSUL_HTTP_PORT",
        "CONSUL_DNS_PORT",
        "CONSUL_GRPC_PORT",
        "CONSUL_SERVER_PORT",
        "CONSUL_SERF_PORT",
    ),
    "jaeger": (
        "JAEGER_QUERY_PORT",
        "JAEGER_OTLP_PORT",
        "JAEGER_OTLP_HTTP_PORT",
        "JAEGER_QUERY_GRPC_PORT",
    ),
    "targets": ("TARGETS_PORT",),
    "alertmanager": ("ALERTMANAGER_PORT",),
    "prometheus": ("PROMETHEUS_PORT",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePart:
    """One part, its data under a folder; `ports` are what its first start is told."""

    name: str
    folder: Path
    ports: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The script's own verdict, whatever it is."""
        known = {name: text for name, text in os.environ.items() if not name.endswith("_PORT")}
        return subprocess.run(  # noqa: S603 our own script
            [SCRIPTS / f"{self.name}.sh", *arguments],
            env={**known, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def install(self) -> None:
        """Downloads or builds it where that has not been done: minutes, and it says so."""
        subprocess.run([SCRIPTS / f"{self.name}.sh", "install"], check=True)  # noqa: S603

    def start(self) -> str:
        """Returns what the script said, once the part answers."""
        return self._done("start", **self.ports)

    def stop(self) -> str:
        """Returns once its process is gone; also when there was none."""
        return self._done("stop")

    def status(self) -> int:
        """0 it answers, 1 it runs and does not, 3 it does not run."""
        return self.run("status", str(self.folder)).returncode

    def kill(self) -> None:
        """Kills its process without a word, and returns once it is gone."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.status() != 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        """As the script wrote it; the process may be long gone."""
        return int((self.folder / self.name / "pid").read_text())

    @property
    def variables(self) -> dict[str, str]:
        """Its PARTS_* variables."""
        lines = self._done("url").splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def url(self) -> str:
        """Where it is, with its password."""
        return self.variables[f"PARTS_{self.name.upper()}"]

    @property
    def port(self) -> int:
        """The one it is known by."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def _done(self, verb: str, **environment: str) -> str:
        ended = self.run(verb, str(self.folder), **environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter too, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="leaky-native-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


@contextmanager
def native_part(name: str, folder: Path | None = None, **settings: str) -> Iterator[NativePart]:
    """A part that has not been started yet; it is stopped at the end.

    Those that have to find each other share a folder; `settings` are for its start.
    """
    ports = dict(zip(PORTS[name], map(str, free_ports(len(PORTS[name]))), strict=True))
    with ExitStack() as stack:
        home = folder or stack.enter_context(private_folder())
        part = NativePart(name=name, folder=home, ports={**ports, **settings})
        try:
            yield part
        finally:
            with suppress(ProcessLookupError, FileNotFoundError, ValueError):
                # One that a test froze cannot end in order.
                os.kill(part.pid, signal.SIGCONT)
            part.stop()
