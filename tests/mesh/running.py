"""A small service for the runtime to run, with an svc_auth of its own in it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from leaky.auth.v1.credential_service_pb2 import GetJwksResponse
from mesh.rpc.dispatcher import Servicer
from mesh.service import Context, Parts, Service
from mesh.settings import Live, MeshSettings
from tests.mesh.rpc.serving import CREDENTIALS, endless, quotas, servicing
from tests.ports import free_port

KEYS = {"keys": [{"kid": "1", "kty": "RSA", "alg": "RS256", "use": "sig"}]}


async def keys(_request: Any, _call: Any) -> GetJwksResponse:
    return GetJwksResponse(jwks=json.dumps(KEYS).encode())


def credentials() -> Servicer:
    """As much of svc_auth as a start waits for."""
    return servicing(CREDENTIALS, get_jwks=keys, watch_revocations=endless)


async def hello(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("hello")


@dataclass
class Little:
    """What the service consists of, and what became of it."""

    data: Path
    handlers: Mapping[str, Callable[..., Awaitable[Any]]] = field(default_factory=dict)
    workers: Sequence[Callable[[], Awaitable[None]]] = ()
    routes: Sequence[Route] = (Route("/", hello),)
    env: Mapping[str, str] = field(default_factory=dict)
    grpc_port: int = field(default_factory=free_port)
    http_ports: Sequence[int] = field(default_factory=lambda: [free_port()])
    servicers: Sequence[Servicer] = field(default_factory=lambda: [credentials()])
    opened: bool = False
    closed: bool = False

    @asynccontextmanager
    async def _build(self, _context: Context[MeshSettings]) -> AsyncIterator[Parts]:
        self.opened = True
        app = Starlette(routes=list(self.routes))
        try:
            yield Parts(
                servicers=[quotas(**self.handlers), *self.servicers],
                workers=self.workers,
                http=dict.fromkeys(self.http_ports, app),
            )
        finally:
            self.closed = True

    @property
    def service(self) -> Service[MeshSettings]:
        return Service(name="auth", settings=MeshSettings, build=self._build)

    def settings(self) -> Live[MeshSettings]:
        env = {"LEAKY_DATA": str(self.data), "LEAKY_AUTH_GRPC_PORT": str(self.grpc_port)}
        return Live.read(MeshSettings, {**env, **self.env})
