"""One `leaky up`, by default with limits that no load reaches."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import running, until
from mesh.cli.state import read_state
from mesh.settings.names import env_name
from tests.ports import free_ports

# Beside other work, too.
START_SECONDS = 180.0
# The supervisor, which is none of the five services.
UP = "up"
NO_LIMITS = {
    "gateway.rate-limit.capacity": "1000000000",
    "gateway.rate-limit.routes./api/v1/tokens": "1000000000",
    "token.bucket.capacity": "1000000000",
    "token.bucket.leak-rate-per-second": "1000000000",
    "token.tiers.levels.USER.quota-max-tokens": "1000000000000",
}
_SERVICES = ("gateway", "auth", "token", "analytics")
_PORTS = (
    *(f"{name}.{kind}-port" for name in _SERVICES for kind in ("http", "grpc", "health")),
    *(f"stubs.{name}.http-port" for name in ("qwen", "gemini", "openai")),
    *("stubs.grpc-port", "stubs.health-port"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system that is ready: where it listens, its processes, how long it took to start.

    `ports` are by their settings, such as "gateway.http-port".
    """

    ports: Mapping[str, int]
    pids: Mapping[str, int]
    start_seconds: float

    @property
    def url(self) -> str:
        """The edge."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The edge's."""
        return self.ports["gateway.http-port"]


@contextmanager
def up(
    folder: Path,
    profile: str,
    settings: Mapping[str, str] = NO_LIMITS,
    workers: int = 1,
    instances: Iterable[str] = (),
) -> Iterator[System]:
    """A system over the data in the folder, on ports of its own; drained at the end.

    `instances` such as "token=2" are of what has more than one.
    """
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    data, log = folder / "data", folder / "leaky.log"
    numbers = {name: str(port) for name, port in ports.items()}
    env = environment({**settings, **numbers, "profile": profile, "data": str(data)})
    told = log.stat().st_size if log.exists() else 0
    started = time.monotonic()
    more = [word for each in instances for word in ("--instances", each)]
    command = (sys.executable, "-m", "mesh.cli", "up", "--workers", str(workers), *more)
    with running(command, log, env) as process:
        until(
            lambda: b"ready in" in log.read_bytes()[told:] or process.poll() is not None,
            START_SECONDS,
        )
        seconds = time.monotonic() - started
        if process.poll() is not None:
            raise RuntimeError(log.read_text(errors="replace")[told:][-3000:])
        pids = {one.endpoint.name: one.pid for one in read_state(data) if one.pid is not None}
        yield System(
            ports=ports,
            pids={**pids, UP: process.pid},
            start_seconds=seconds,
        )


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours, with these settings in place of all that it has of the system's."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("LEAKY_")}
    return clean | {env_name(name): value for name, value in settings.items()}
