"""What a running `leaky up` tells the other commands, in a file beside its lock."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mesh.cli.endpoints import Endpoint, Port
from mesh.private_file import write_private

FILE = "up.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service of the running system; `pid` is None between a crash and the next start.

    `variables` name the settings it got from the environment and --set.
    """

    endpoint: Endpoint
    pid: int | None
    variables: tuple[str, ...] = ()


def write_state(
    data: Path,
    endpoints: Iterable[Endpoint],
    pids: Mapping[str, int | None],
    env: Mapping[str, str],
) -> None:
    """Tells where the services are, their pids, and which settings `env` has; no values of them."""
    told = {"variables": sorted(name for name in env if name.startswith("LEAKY_"))}
    rows = [
        {**asdict(each), "name": each.name, "pid": pids.get(each.name), **told}
        for each in endpoints
    ]
    write_private(data / FILE, json.dumps(rows))


def read_state(data: Path) -> list[Running]:
    """What the running system last told; nothing when it has not."""
    try:
        rows = json.loads((data / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return []
    return [
        Running(endpoint=_endpoint(row), pid=row["pid"], variables=tuple(row.get("variables", ())))
        for row in rows
    ]


def _endpoint(row: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        service=row["service"],
        host=row["host"],
        http=tuple(Port(**port) for port in row["http"]),
        grpc=Port(**row["grpc"]),
        health=Port(**row["health"]) if row["health"] else None,
        own_http=Port(**row["own_http"]) if row.get("own_http") else None,
        instance=row["instance"],
    )
