"""Where the services listen, under which setting, and whether that is possible."""

import errno
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mesh.cli.refusal import RefusedError
from mesh.identity.profile import Profile
from mesh.settings import MeshSettings, Section
from mesh.settings.names import env_name


@dataclass(frozen=True, slots=True)
class Port:
    """A port and the setting that chooses it."""

    setting: str
    number: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """All that a service listens on; `host` is where this machine reaches it."""

    service: str
    host: str
    http: tuple[Port, ...]
    grpc: Port
    # Loopback, health and reflection only; in `secure`.
    health: Port | None

    @property
    def ports(self) -> tuple[Port, ...]:
        """Every port."""
        return (*self.http, self.grpc, *([self.health] if self.health else []))


def endpoint(settings: MeshSettings, service: str) -> Endpoint:
    """Where this service listens under these settings."""
    section = getattr(settings, service)
    bind = settings.bind_address
    health = None
    if settings.effective_profile is Profile.SECURE:
        number = section.health_port or section.grpc_port + 100
        health = Port(f"{service}.health-port", number, "127.0.0.1")
    return Endpoint(
        service=service,
        # What listens on every address is reached on this machine's own.
        host="127.0.0.1" if bind in {"0.0.0.0", "::"} else bind,  # noqa: S104 compared, not bound
        http=tuple(Port(name, number, bind) for name, number in _http(service, section)),
        grpc=Port(f"{service}.grpc-port", section.grpc_port, bind),
        health=health,
    )


def _http(prefix: str, section: Section) -> Iterator[tuple[str, int]]:
    for key, value in section:
        if key == "http_port":
            yield f"{prefix}.http-port", value
        elif isinstance(value, Section):
            yield from _http(f"{prefix}.{key}", value)


def check_ports(ports: Iterable[Port]) -> None:
    """Raises RefusedError that names each port that cannot be had, and its setting."""
    chosen: dict[int, str] = {}
    problems = []
    for port in ports:
        other = chosen.setdefault(port.number, port.setting)
        problem = f"is {other} too" if other != port.setting else _problem(port)
        if problem:
            problems.append(
                f"port {port.number} ({port.setting}) {problem}; choose another with"
                f" {env_name(port.setting)} or --set {port.setting}=PORT"
            )
    if problems:
        raise RefusedError("; ".join(problems))


def _problem(port: Port) -> str | None:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        # As our servers do: connections that are just closing do not count.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((port.host, port.number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken by another process"
            return f"cannot be had on {port.host}: {error.strerror}"
    return None
