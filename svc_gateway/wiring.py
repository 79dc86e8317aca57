"""Puts the gateway together; the only file that names concrete classes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from mesh.edge.app import service_app
from mesh.service import Context, Parts, Service
from mesh.settings.secrets import secret
from svc_gateway.edge.admission import Admission
from svc_gateway.edge.fallback import Fallback
from svc_gateway.limits import LiveRateLimits
from svc_gateway.metrics import count_lookup
from svc_gateway.routing import methods, service_of
from svc_gateway.settings import GatewaySettings
from svc_gateway.stores import WINDOWS
from svc_gateway.usecases.limit_request import LimitRequest

# On the edge, X-RateLimit speaks of its own window.
RENAMED = {"X-RateLimit": "X-TokenBucket"}
SECRET_FILE = "mesh.secret"  # noqa: S105 a file's name


@asynccontextmanager
async def build(context: Context[GatewaySettings]) -> AsyncIterator[Parts]:
    """The edge: no methods of its own, all methods of the others over REST."""
    settings = context.settings.current
    shared = secret(settings.data / SECRET_FILE, settings.mesh.secret)
    async with WINDOWS.open(settings.gateway.rate_limit.store, secret=shared) as windows:
        limit = LimitRequest(
            windows=windows,
            limit_of=LiveRateLimits(context.settings),
            fail_open=lambda: context.settings.current.gateway.rate_limit.fail_open,
            clock=context.clock,
        )
        admission = Admission(
            settings=context.settings, authenticator=context.identity, limit=limit
        )
        context.identity.on_api_key(count_lookup)
        fallback = Fallback(context.clock)
        app = service_app(
            title="Leaky Tokens",
            version=version("leaky-tokens"),
            methods=list(methods()),
            channel_for=lambda method: context.channel(service_of(method)),
            settings=context.settings,
            ready={},
            before=(admission,),
            unavailable=fallback.of,
            rename_headers=RENAMED,
            routers=(fallback.router(),),
        )
        callees = ("auth", "token", "analytics")
        yield Parts(http={settings.gateway.http_port: app}, calls=callees)


SERVICE: Service[GatewaySettings] = Service(name="gateway", settings=GatewaySettings, build=build)
