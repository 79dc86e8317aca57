"""Asks a service how it is, by gRPC's health protocol."""

import asyncio
import contextlib
from enum import StrEnum

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh.cli.endpoints import Endpoint
from mesh.settings.model import own_host

TIMEOUT_SECONDS = 2.0


class Health(StrEnum):
    """What a service says of itself."""

    HEALTHY = "healthy"
    NOT_READY = "not ready"
    UNREACHABLE = "unreachable"
    # Nobody holds its data: what answers on its port is another system's.
    NOT_RUNNING = "not running"


async def health(endpoint: Endpoint) -> Health:
    """The service's health; in `secure`, asked on the port that is there for it."""
    host, number = endpoint.host, endpoint.grpc.number
    if endpoint.health is not None:
        host, number = own_host(endpoint.health.host), endpoint.health.number
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


async def _listens(host: str, number: int) -> bool:
    # Far cheaper than a gRPC channel while a service is still starting.
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, number)
        writer.close()
        return True
    return False
