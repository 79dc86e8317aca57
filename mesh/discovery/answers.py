"""Reads Consul's answers: indexes, addresses, and names behind addresses."""

import asyncio
import socket
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from mesh.discovery.instances import address, is_ip

log = structlog.get_logger("discovery")
# Of an instance's metadata: a REST port of this process alone.
METRICS_PORT = "metrics_port"


def next_index(before: int | None, answered: str) -> int | None:
    """The index for the next blocking query; None asks anew, without waiting.

    An index that goes back or is not positive must not be waited on
    (developer.hashicorp.com/consul/api-docs/features/blocking).
    """
    index = int(answered)
    if index < 1 or (before is not None and index < before):
        return None
    return index


async def addresses(nodes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The addresses of what health/service answered, names resolved; sorted.

    Raises KeyError or TypeError for what is no such answer.
    """
    pairs = [_host_and_port(node) for node in nodes]
    found = await asyncio.gather(*(_resolved(host, port) for host, port in pairs))
    return tuple(sorted({one for some in found for one in some}))


def metrics_address(node: Mapping[str, Any]) -> str | None:
    """Where /metrics is of one node that health/service answered; None where it does not tell.

    Raises KeyError or TypeError for what is no such answer.
    """
    host = _host(node)
    port = (node["Service"].get("Meta") or {}).get(METRICS_PORT, "")
    return address(host, int(port)) if port.isdecimal() else None


def _host_and_port(node: Mapping[str, Any]) -> tuple[str, int]:
    return _host(node), int(node["Service"]["Port"])


def _host(node: Mapping[str, Any]) -> str:
    # A service without an address of its own is where its agent is.
    return str(node["Service"]["Address"] or node["Node"]["Address"])


async def _resolved(host: str, port: int) -> list[str]:
    if is_ip(host):
        return [address(host, port)]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        log.warning("the address of an instance does not resolve", host=host, error=str(error))
        return []
    return [address(str(where[0]), port) for *_, where in found]
