"""Commands that ask a service something, over its gRPC."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from mesh.cli.data import LOCK, holder
from mesh.cli.endpoints import Endpoint, endpoint
from mesh.cli.state import read_state
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.settings import MeshSettings


def token_endpoint(settings: MeshSettings) -> Endpoint:
    """Where svc_token is."""
    return endpoint_of(settings, "token")


def endpoint_of(settings: MeshSettings, service: str) -> Endpoint:
    """As the running `leaky up` told; without one, as the settings say."""
    running = read_state(settings.data) if holder(settings.data / LOCK) is not None else []
    told = [each.endpoint for each in running if each.endpoint.service == service]
    return told[0] if told else endpoint(settings, service)


def credential(token: str) -> Mapping[str, str]:
    """The metadata of a call by its bearer; of nobody's for an empty one."""
    return {"authorization": f"Bearer {token}"} if token else {}


@asynccontextmanager
async def connected(at: Endpoint) -> AsyncIterator[GrpcChannel]:
    """A channel to it, whether it answers or not."""
    host = f"[{at.host}]" if ":" in at.host else at.host
    channel = GrpcChannel(f"{host}:{at.grpc.number}")
    try:
        yield channel
    finally:
        await channel.close()
