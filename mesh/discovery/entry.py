"""What Consul is told of an instance."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import structlog

from mesh.discovery.answers import METRICS_PORT
from mesh.discovery.instances import address
from mesh.identity.profile import Profile
from mesh.settings import MeshSettings, Section
from mesh.settings.model import EVERY_ADDRESS, own_host

log = structlog.get_logger("discovery")
INTERVAL, TIMEOUT = "1s", "1s"
# Consul's shortest: after that long without health an instance is forgotten.
FORGET_AFTER = "1m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where callers and Consul's health check reach an instance.

    An empty `host` is its agent's own address.
    """

    id: str
    name: str
    host: str
    port: int
    check: str
    meta: Mapping[str, str]

    def definition(self, *, serving: bool) -> dict[str, Any]:
        """The arguments of py-consul's agent.service.register."""
        check = {
            "Name": "gRPC health",
            "GRPC": self.check,
            "Interval": INTERVAL,
            "Timeout": TIMEOUT,
            "DeregisterCriticalServiceAfter": FORGET_AFTER,
            "Status": "passing" if serving else "critical",
        }
        return {
            "name": self.name,
            "service_id": self.id,
            "address": self.host,
            "port": self.port,
            "tags": ["grpc"],
            "meta": dict(self.meta),
            "check": check,
            "replace_existing_checks": True,
        }

    def is_as(self, known: Mapping[str, Any] | None) -> bool:
        """Whether Consul knows the instance just so."""
        return known is not None and (
            (known.get("Service"), known.get("Address"), known.get("Port"), known.get("Meta"))
            == (self.name, self.host, self.port, dict(self.meta))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An instance as its settings describe it; `name` is what Consul calls the service."""

    service: str
    name: str
    settings: MeshSettings

    def place(self, agent: tuple[str, int]) -> Place:
        """Where this instance is, for an agent at this address. Blocks on name look-ups.

        Raises OSError when the agent's own name does not resolve.
        """
        ports = getattr(self.settings, self.service)
        own = _own_address(agent)
        bound = self.settings.bind_address
        host = self.settings.mesh.advertise_address or bound
        if host in EVERY_ADDRESS:
            # Beside the agent the agent's address is ours too.
            host = "" if own.beside else own.host
        return Place(
            id=f"{self.name}-{host or socket.gethostname()}-{ports.grpc_port}",
            name=self.name,
            host=host,
            port=ports.grpc_port,
            check=self._check(ports, host, own),
            meta={
                "version": version("leaky-tokens"),
                "protocol": "grpc",
                **_http_ports(ports),
                METRICS_PORT: self._metrics_port(ports),
            },
        )

    def _metrics_port(self, ports: Any) -> str:
        """Where /metrics tells of this process and no other."""
        own = self.settings.mesh.own_http_port
        return str(own) if own else next(iter(_http_ports(ports).values()))

    def _check(self, ports: Any, host: str, own: "_Own") -> str:
        if self.settings.effective_profile is Profile.LOCAL:
            return address(host or "127.0.0.1", ports.grpc_port)
        # Consul has no certificate of ours, and so gets at health alone.
        bound = self.settings.mesh.health_address
        if own.beside:
            host = own_host(bound)
        elif self.settings.health_on_loopback:
            log.warning("Consul cannot reach the health port; set mesh.health-address")
        elif bound not in EVERY_ADDRESS:
            host = bound
        return address(host, ports.effective_health_port)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """This machine's address on the way to the agent; `beside` it on the same machine."""

    host: str
    beside: bool


def _own_address(agent: tuple[str, int]) -> _Own:
    family, kind, protocol, _, where = socket.getaddrinfo(*agent, type=socket.SOCK_DGRAM)[0]
    # Connecting a datagram socket sends nothing, it only chooses the way.
    with socket.socket(family, kind, protocol) as sock:
        sock.connect(where)
        host = str(sock.getsockname()[0])
    return _Own(host=host, beside=host == where[0])


def _http_ports(section: Section, prefix: str = "http_port") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in section:
        if key == "http_port":
            found[prefix] = str(value)
        elif isinstance(value, Section):
            found.update(_http_ports(value, f"http_port_{key}"))
    return found
