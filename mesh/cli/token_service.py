"""Commands that ask a service something, over its gRPC."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from mesh.cli.data import LOCK, holder, runner
from mesh.cli.endpoints import Endpoint, endpoint
from mesh.cli.refusal import RefusedError
from mesh.cli.state import read_state
from mesh.clock import SystemClock
from mesh.discovery.instances import address
from mesh.pki.opened import operators_transport
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.settings import MeshSettings


def token_endpoint(settings: MeshSettings) -> Endpoint:
    """Where svc_token is."""
    return endpoint_of(settings, "token")


def own_token_endpoint(settings: MeshSettings) -> Endpoint:
    """The same, to change something there.

    Raises RefusedError where svc_token does not run on the data folder: what answers on its
    port may be another system's. With Consul services have folders elsewhere.
    """
    if not settings.uses_consul and runner(settings.data, "token") is None:
        raise RefusedError(f"token is not running on {settings.data}; nothing was changed")
    return token_endpoint(settings)


def endpoint_of(settings: MeshSettings, service: str) -> Endpoint:
    """As the running `leaky up` told; without one, as the settings say."""
    running = read_state(settings.data) if holder(settings.data / LOCK) is not None else []
    told = [each.endpoint for each in running if each.endpoint.service == service]
    return told[0] if told else endpoint(settings, service)


def credential(token: str) -> Mapping[str, str]:
    """The metadata of a call by its bearer; of nobody's for an empty one."""
    return {"authorization": f"Bearer {token}"} if token else {}


@asynccontextmanager
async def connected(at: Endpoint, settings: MeshSettings) -> AsyncIterator[GrpcChannel]:
    """A channel to it, whether it answers or not.

    Raises CertificateError where `secure` wants one and the operator has none.
    """
    transport = operators_transport(settings, SystemClock())
    target = address(at.host, at.grpc.number)
    channel = GrpcChannel(target, service=at.service, transport=transport)
    try:
        yield channel
    finally:
        await channel.close()
