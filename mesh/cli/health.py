"""Asks a service how it is, by gRPC's health protocol."""

import asyncio
import contextlib
from collections.abc import Sequence
from enum import StrEnum

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh.cli.endpoints import Endpoint

TIMEOUT_SECONDS = 2.0
_TIMES = 4


class Health(StrEnum):
    """What a service says of itself."""

    HEALTHY = "healthy"
    NOT_READY = "not ready"
    UNREACHABLE = "unreachable"


async def health(endpoint: Endpoint) -> Health:
    """The service's health; in `secure`, asked on the loopback port that is there for it."""
    host, number = endpoint.host, endpoint.grpc.number
    if endpoint.health is not None:
        host, number = endpoint.health.host, endpoint.health.number
    if not await _listens(host, number):
        return Health.UNREACHABLE
    target = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
    async with grpc.aio.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError:
            return Health.UNREACHABLE
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return Health.HEALTHY if serving else Health.NOT_READY


async def healthy(endpoint: Endpoint) -> bool:
    """Whether the service takes calls."""
    return await health(endpoint) is Health.HEALTHY


async def answers(endpoint: Endpoint, paths: Sequence[str]) -> bool:
    """Whether an edge takes calls and has found who serves these paths.

    Asked on new connections, several times, as several edges may share the port.
    """
    if not await healthy(endpoint):
        return False
    import httpx  # noqa: PLC0415 only a start under a registry asks

    edge = f"http://{endpoint.host}:{endpoint.http[0].number}"
    anew = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=anew) as client:
        for path in (*paths,) * _TIMES:
            try:
                answer = await client.get(edge + path)
            except httpx.TransportError:
                return False
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                return False
    return True


async def _listens(host: str, number: int) -> bool:
    # Far cheaper than a gRPC channel while a service is still starting.
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, number)
        writer.close()
        return True
    return False
