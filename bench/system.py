"""One `leaky up`, by default with limits that no load reaches."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import free_ports, running, until
from mesh.cli.state import read_state
from mesh.settings.names import env_name

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
    folder: Path, profile: str, settings: Mapping[str, str] = NO_LIMITS, workers: int = 1
) -> Iterator[System]:
    """A system over the data in the folder, on ports of its own; drained at the end."""
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    data, log = folder / "data", folder / "leaky.log"
    env = _environment({**settings, "profile": profile, "data": str(data)}, ports)
    told = log.stat().st_size if log.exists() else 0
    started = time.monotonic()
    command = (sys.executable, "-m", "mesh.cli", "up", "--workers", str(workers))
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


def _environment(settings: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("LEAKY_")}
    numbers = {name: str(port) for name, port in ports.items()}
    return clean | {env_name(name): value for name, value in {**settings, **numbers}.items()}
