"""The HTTP app of a service, and of the gateway."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mesh.clock import Clock, Ids, RandomIds, SystemClock
from mesh.edge.actuator import Actuator
from mesh.edge.address import Addresses
from mesh.edge.bodies import Bounded
from mesh.edge.docs import Docs
from mesh.edge.door import Door
from mesh.edge.envelope import Envelope
from mesh.edge.errors import Failures, Unavailable
from mesh.edge.framework import handlers
from mesh.edge.openapi import document
from mesh.edge.request import EdgeRequest, Hook
from mesh.edge.routes import Route, compile_routes
from mesh.edge.transcoder import Transcoder
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.method import Method
from mesh.settings import Live, MeshSettings

__all__ = ["EdgeRequest", "Hook", "service_app"]
_ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "X-Api-Key",
    "X-Correlation-Id",
    "traceparent",
    "tracestate",
)
_EXPOSED_HEADERS = (
    "Retry-After",
    "WWW-Authenticate",
    "X-Correlation-Id",
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
)


def _no_fallback(_method: Method[Any, Any], _path: str, _error: AppError) -> dict[str, Any] | None:
    return None


def service_app(
    *,
    title: str,
    version: str,
    methods: Sequence[Method[Any, Any]],
    channel_for: Callable[[Method[Any, Any]], Channel],
    settings: Live[Any],
    ready: Mapping[str, Callable[[], Awaitable[None]]],
    before: Sequence[Hook] = (),
    unavailable: Unavailable = _no_fallback,
    rename_headers: Mapping[str, str] | None = None,
    routers: Sequence[APIRouter] = (),
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> FastAPI:
    """An app with the methods' routes, the routers, documentation and actuator.

    `before` runs in order before each transcoded request is read. `unavailable`
    gives the body of a 503 for a method whose service is away. `rename_headers`
    maps prefixes of the response headers that rules bind, such as X-RateLimit to
    X-TokenBucket. Raises TypeError or ValueError for a method that cannot be served.
    """
    failures = Failures(clock or SystemClock(), unavailable)
    routes = list(compile_routes(methods, rename_headers or {}))
    app = _fastapi(title, version, failures)
    transcoder = Transcoder(
        routes=routes,
        channel_for=channel_for,
        settings=settings,
        before=before,
        failures=failures,
    )
    app.transcoder = transcoder
    app.router.routes.append(transcoder)
    for router in routers:
        app.include_router(router)
    _describe(app, routes, stands_in=unavailable is not _no_fallback)
    info = {"name": title, "version": version}
    app.router.routes.extend(Actuator(info=info, ready=ready, settings=settings).routes())
    app.router.routes.extend(Docs(app.openapi).routes())
    app.bounded = Bounded(app.framework)
    bound = {name for route in routes for name in route.answer.headers}
    exposed = dict.fromkeys((*_EXPOSED_HEADERS, *sorted(bound)))
    cors, ids = _cors(app.enter, settings.current, exposed), ids or RandomIds()
    app.refuse = Door(uri_of=transcoder.uri_of, failures=failures, ids=ids, cors=cors)
    app.envelope = Envelope(
        cors or app.enter,
        failures=failures,
        ids=ids,
        addresses=Addresses(settings.current.gateway.trusted_proxies),
    )
    return app


class _App(FastAPI):
    """FastAPI with a front door, where `refuse` answers what the server does not let in.

    The transcoder is a route like others; what it matches in full goes to it
    straight from the door, past the two fifths of a request that FastAPI's and
    Starlette's own layers take. All else goes the usual way.
    """

    transcoder: Transcoder
    bounded: ASGIApp
    envelope: ASGIApp
    refuse: Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request or the lifespan."""
        if scope["type"] == "http":
            await self.envelope(scope, receive, send)
        else:
            await self.framework(scope, receive, send)

    async def framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI's own way."""
        await super().__call__(scope, receive, send)

    def enter(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """What is behind the door."""
        if self.transcoder.takes(scope):
            return self.transcoder.handle(scope, receive, send)
        return self.bounded(scope, receive, send)


def _fastapi(title: str, version: str, failures: Failures) -> _App:
    return _App(
        title=title,
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers=handlers(failures),  # type: ignore[arg-type]  # handlers take narrower errors
    )


def _describe(app: FastAPI, routes: Sequence[Route], *, stands_in: bool) -> None:
    @cache
    def openapi() -> dict[str, Any]:
        described = document(app.title, app.version, routes, stands_in=stands_in)
        # The routers' own, as FastAPI sees them.
        others = get_openapi(title=app.title, version=app.version, routes=app.routes)
        described["paths"] |= others["paths"]
        described["components"]["schemas"] |= others.get("components", {}).get("schemas", {})
        return described

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _cors(app: ASGIApp, settings: MeshSettings, exposed: Iterable[str]) -> CORSMiddleware | None:
    given = (origin.strip() for origin in settings.cors.allowed_origins.split(","))
    origins = [origin for origin in given if origin]
    if not origins:
        return None
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=tuple(exposed),
    )
