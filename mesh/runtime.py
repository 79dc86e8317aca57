"""The life of a service process: start, serve, drain."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any, cast

import structlog

from mesh.clock import RandomIds, SystemClock
from mesh.discovery.instances import Instances, address
from mesh.discovery.registry import Found, found
from mesh.edge.metrics import watch_limit
from mesh.failpoints import FAILPOINTS
from mesh.http_server import HttpServer
from mesh.identity.identity import Identity
from mesh.identity.profile import Profile
from mesh.pki.opened import transport_of
from mesh.resilience.adaptive_limit import AdaptiveLimit
from mesh.rpc.channels import Channels
from mesh.rpc.dispatcher import Dispatcher, Interceptor
from mesh.rpc.interceptors.admission import AdmissionInterceptor
from mesh.rpc.interceptors.deadline import DeadlineInterceptor
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.mux.window import Window
from mesh.rpc.server import Server
from mesh.service import Context, Parts, Service
from mesh.settings import Live, MeshSettings
from mesh.telemetry import logs
from mesh.telemetry.loop_lag import LoopLag
from mesh.telemetry.rpc import observe
from mesh.telemetry.tracing.calls import trace_calls
from mesh.telemetry.tracing.exporting import exporting
from mesh.workers import Workers

log = structlog.get_logger("service")
VERSION = version("leaky-tokens")


class _Stop:
    """What SIGTERM and SIGINT ask for: an end to a start at once, and to serving by a drain."""

    def __init__(self) -> None:
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.starting = True
        self.asked = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self._ask)

    def _ask(self) -> None:
        if self.starting and not self.asked.is_set():
            self._task.cancel()
        self.asked.set()

    def ended_the_start(self) -> bool:
        """Whether the cancellation that has just arrived was ours, and ours alone."""
        return self.starting and self.asked.is_set() and self._task.uncancel() == 0


async def serve(service: Service[Any], settings: Live[Any]) -> None:
    """Runs a service until SIGTERM or SIGINT, then drains it.

    Raises what kept it from starting, and what a worker failed with.
    """
    FAILPOINTS.check(permitted=settings.current.effective_profile is not Profile.SECURE)
    logs.configure(service.name, settings.current.log.level)
    settings.on_change(lambda changed: logs.set_level(changed.log.level))
    stop = _Stop()
    try:
        async with running(service, settings):
            stop.starting = False
            log.info("serving", version=VERSION, profile=settings.current.effective_profile)
            await stop.asked.wait()
            log.info("draining")
    except asyncio.CancelledError:
        if not stop.ended_the_start():
            raise
        log.info("stopped while starting")


@asynccontextmanager
async def running(service: Service[Any], settings: Live[Any]) -> AsyncIterator[None]:
    """A served service, drained at the end; a worker that fails cancels the block."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(exporting(settings, service.name, VERSION))
        transport = transport_of(settings.current, service.name, SystemClock())
        registry = await stack.enter_async_context(found(settings, service.name))
        channels = Channels(settings, registry.discovery, transport)
        stack.push_async_callback(channels.close)
        context, identity = _context(service, settings, channels)
        parts = await stack.enter_async_context(service.build(context))
        for servicer in parts.servicers:
            context.dispatcher.add(servicer)
        limit = AdaptiveLimit(lambda: settings.current.mesh.max_requests)
        watch_limit(limit)
        followers = (settings.follow, transport.follow, identity.run)
        workers = Workers([*followers, LoopLag(told=limit.tick), *parts.workers])
        await stack.enter_async_context(workers.running())
        server = Server(context.dispatcher, transport, Window(settings))
        listening = _listening(context, parts, registry, server, limit)
        await stack.enter_async_context(listening)
        try:
            yield
        finally:
            workers.draining()


def _context(
    service: Service[Any], settings: Live[Any], channels: Channels
) -> tuple[Context[Any], Identity]:
    clock = SystemClock()
    interceptors: list[Interceptor] = []
    dispatcher = Dispatcher(interceptors)
    local = LocalChannel(dispatcher)
    auth = local.as_service("auth") if service.name == "auth" else channels.to("auth")
    identity = Identity(settings=settings, auth_channel=auth, clock=clock)
    interceptors += _chain(settings, identity)
    context = Context(
        name=service.name,
        settings=settings,
        clock=clock,
        ids=RandomIds(),
        channel=channels.to,
        local=local,
        dispatcher=dispatcher,
        identity=identity,
    )
    return context, identity


def _chain(settings: Live[Any], identity: Identity) -> list[Interceptor]:
    return [
        trace_calls,
        observe,
        map_errors,
        DeadlineInterceptor(settings),
        AdmissionInterceptor(settings),
        identity.principal,
        identity.admit,
        ValidationInterceptor(),
        identity.authorize,
    ]


async def _known(context: Context[Any], callees: Iterable[Instances]) -> None:
    # Without svc_auth a service still has its public methods to offer.
    with suppress(TimeoutError):
        async with asyncio.timeout(context.settings.current.mesh.auth_wait):
            await asyncio.gather(context.identity.ready(), *(each.found() for each in callees))


@asynccontextmanager
async def _listening(
    context: Context[Any], parts: Parts, registry: Found, server: Server, limit: AdaptiveLimit
) -> AsyncIterator[None]:
    settings = context.settings.current
    host, grace = settings.bind_address, settings.mesh.drain_grace
    shared = settings.mesh.share_http_port
    https = [
        HttpServer(app, host, port, grace, limit=limit, shared=shared)
        for port, app in parts.http.items()
    ]
    if settings.mesh.own_http_port:
        app = next(iter(parts.http.values()))
        https.append(HttpServer(app, host, settings.mesh.own_http_port, grace, limit=limit))
    ports = getattr(settings, context.name)
    try:
        await server.start(
            address(host, ports.grpc_port), health_address=_health_address(settings, ports)
        )
        for http in https:
            await http.start()
        callees = [registry.discovery.instances(service) for service in parts.calls]
        registration = registry.registration
        async with registration.announced() as announced, _ready(context, callees, server):
            announced.serving()
            yield
    finally:
        # All at once, so that a drain takes one grace, however many ports there are.
        await asyncio.gather(server.stop(grace), *(http.stop() for http in https))


@asynccontextmanager
async def _ready(
    context: Context[Any], callees: Iterable[Instances], server: Server
) -> AsyncIterator[None]:
    """Healthy during the block; at its end unhealthy first, before anybody is told to leave."""
    await _known(context, callees)
    await server.serving(ready=True)
    try:
        yield
    finally:
        await server.serving(ready=False)


def _health_address(settings: MeshSettings, ports: Any) -> str | None:
    """Where health is asked for without a certificate, in `secure`."""
    if settings.effective_profile is not Profile.SECURE:
        return None
    return address(settings.mesh.health_address, ports.effective_health_port)
