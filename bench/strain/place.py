"""The system under strain: its callers, what it says of itself, its settings while it runs."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.callers import PROVIDER, SLOW_PROVIDER, Caller, register
from bench.client import drive
from bench.plan import Plan
from bench.processes import memory, pin
from bench.strain.crowd import Crowd
from bench.strain.options import Options
from bench.system import NO_LIMITS, System, up
from mesh.cli.top.samples import Series, parse
from mesh.private_file import write_private
from mesh.settings.source import FILE

# A double that answers while others are called, and one for calls that nobody waits for.
STUCK_PROVIDER = "qwen"
WATCHED = ("gateway", "token")
SETTINGS = {
    **NO_LIMITS,
    f"stubs.{SLOW_PROVIDER}.faults.delay": "2s",
    f"stubs.{STUCK_PROVIDER}.faults.delay": "6s",
    "provider.timeout": "20s",
    "provider.bulkhead": "1000000",
}
# Settings in a file are live within a second.
_LIVE_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A system that is up in a folder, and its callers."""

    system: System
    folder: Path
    callers: list[Caller]

    def quotas(self, connections: int, seconds: float) -> Crowd:
        """A load of what is quick."""
        requests = [caller.quota() for caller in self.callers]
        port = self.system.port
        return Crowd(port=port, requests=requests, connections=connections, seconds=seconds)

    def change(self, settings: Mapping[str, str]) -> None:
        """In place of what was changed before; returns when they are live."""
        write_private(self.folder / "data" / FILE, json.dumps(dict(settings)), durable=False)
        time.sleep(_LIVE_SECONDS)

    def metric(self, service: str, name: str, **labels: str) -> float:
        """The sum of the series with these labels. Raises RuntimeError when none has the name."""
        found = samples(self.system.ports[f"{service}.http-port"], name)
        if not found:
            raise RuntimeError(f"{service} says nothing of {name}")
        return total(found, **labels)

    def consumed(self, **labels: str) -> float:
        """How many consumes at the stuck provider have ended."""
        return self.metric("token", "token_consume_total", provider=STUCK_PROVIDER, **labels)

    def rss(self) -> dict[str, float]:
        """MiB of those that are watched."""
        return {name: memory(self.system.pids[name]).rss for name in WATCHED}

    def open_files(self, service: str) -> int:
        """How many descriptors the service has."""
        return open_files(self.system.pids[service])


def open_files(pid: int) -> int:
    """How many descriptors the process has."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def samples(port: int, name: str) -> Series:
    """What the process with this REST port says of a metric now. Raises httpx.HTTPError."""
    return parse(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text).of(name)


def total(series: Series, **labels: str) -> float:
    """The sum of the series with these labels."""
    return sum(value for key, value in series.items() if labels.items() <= set(key))


@contextmanager
def placed(folder: Path, options: Options) -> Iterator[Place]:
    """Up, each on its cores, with pools that have been used."""
    with up(folder, "local", SETTINGS) as system:
        callers = register(system.url, options.callers)
        for pid in system.pids.values():
            pin(pid, options.server_cores)
        pin(os.getpid(), options.load_cores)
        requests = tuple(caller.consume(PROVIDER) for caller in callers)
        load = drive(Plan(port=system.port, requests=requests, connections=1, count=len(callers)))
        if load.problem:
            raise RuntimeError(f"the first consumes: {load.problem}")
        yield Place(system=system, folder=folder, callers=callers)
