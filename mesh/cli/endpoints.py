"""Where the services listen, under which setting, and whether that is possible."""

import errno
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mesh.cli.refusal import RefusedError
from mesh.identity.profile import Profile
from mesh.settings import MeshSettings, Section
from mesh.settings.names import env_name

STEP = 1000
MOST_PORT = 65_536


@dataclass(frozen=True, slots=True)
class Port:
    """A port and the setting that chooses it."""

    setting: str
    number: int
    host: str
    # Whether several of our processes listen on it.
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """All that a service listens on; `host` is where this machine reaches it."""

    service: str
    host: str
    http: tuple[Port, ...]
    grpc: Port
    # Health and reflection only, without a certificate; in `secure`.
    health: Port | None
    # REST of this process alone, where it shares its other REST port.
    own_http: Port | None = None
    instance: int = 1

    @property
    def name(self) -> str:
        """What the process is called: token, token.2."""
        return self.service if self.instance == 1 else f"{self.service}.{self.instance}"

    @property
    def ports(self) -> tuple[Port, ...]:
        """Every port."""
        return (*self.http, self.grpc, *filter(None, (self.health, self.own_http)))


def endpoint(settings: MeshSettings, service: str, *, instance: int = 1) -> Endpoint:
    """Where this service listens under these settings."""
    section = getattr(settings, service)
    bind = settings.bind_address
    health = None
    if settings.effective_profile is Profile.SECURE:
        where = settings.mesh.health_address
        health = Port(f"{service}.health-port", section.effective_health_port, where)
    own = settings.mesh.own_http_port
    return Endpoint(
        service=service,
        host=settings.own_host,
        http=tuple(
            Port(name, number, bind, shared=settings.mesh.share_http_port)
            for name, number in _http(service, section)
        ),
        grpc=Port(f"{service}.grpc-port", section.grpc_port, bind),
        health=health,
        own_http=Port("mesh.own-http-port", own, bind) if own else None,
        instance=instance,
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


def free_port(near: Port, taken: set[int]) -> int:
    """A free port some way above another, out of the range of outgoing connections; notes it.

    Raises RefusedError when there is none.
    """
    for number in range(near.number + STEP, MOST_PORT):
        if number not in taken and _problem(Port(near.setting, number, near.host)) is None:
            taken.add(number)
            return number
    raise RefusedError(f"no port is free above {near.number} ({near.setting})")


def _problem(port: Port) -> str | None:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        # As our servers do: connections that are just closing do not count.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port.shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind((port.host, port.number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken by another process"
            return f"cannot be had on {port.host}: {error.strerror}"
    return None
