"""The life of a service process: start, serve, drain."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

import structlog

from mesh.clock import RandomIds, SystemClock
from mesh.http_server import HttpServer
from mesh.identity.identity import Identity
from mesh.rpc.channels import Channels
from mesh.rpc.dispatcher import Dispatcher, Interceptor
from mesh.rpc.interceptors.admission import AdmissionInterceptor
from mesh.rpc.interceptors.deadline import DeadlineInterceptor
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.server import Server
from mesh.service import Context, Parts, Service
from mesh.settings import Live
from mesh.telemetry import logs
from mesh.telemetry.rpc import observe

log = structlog.get_logger("service")
VERSION = version("leaky-tokens")
# How long a start waits for svc_auth before it goes on without.
IDENTITY_SECONDS = 30.0


async def serve(service: Service[Any], settings: Live[Any]) -> None:
    """Runs a service until SIGTERM or SIGINT, then drains it."""
    logs.configure(service.name, settings.current.log.level)
    settings.on_change(lambda changed: logs.set_level(changed.log.level))
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with running(service, settings) as failed:
        log.info("serving", version=VERSION, profile=settings.current.effective_profile)
        await _first(stop.wait(), failed)
        log.info("draining")


async def _first(stopped: Awaitable[Any], failed: "asyncio.Future[None]") -> None:
    waiting = asyncio.ensure_future(stopped)
    try:
        await asyncio.wait({waiting, failed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


@asynccontextmanager
async def running(
    service: Service[Any], settings: Live[Any]
) -> AsyncIterator["asyncio.Future[None]"]:
    """A served service; what it yields is done when a worker has failed, with its error."""
    async with AsyncExitStack() as stack:
        context, identity = _context(service, settings, stack)
        parts = await stack.enter_async_context(service.build(context))
        for servicer in parts.servicers:
            context.dispatcher.add(servicer)
        workers = [settings.follow, identity.run, *parts.workers]
        failed = await stack.enter_async_context(_working(workers))
        await stack.enter_async_context(_listening(context, parts))
        yield failed
    if failed.done() and not failed.cancelled():
        failed.result()


def _context(
    service: Service[Any], settings: Live[Any], stack: AsyncExitStack
) -> tuple[Context[Any], Identity]:
    clock = SystemClock()
    interceptors: list[Interceptor] = []
    dispatcher = Dispatcher(interceptors)
    local = LocalChannel(dispatcher)
    channels = Channels(settings)
    stack.push_async_callback(channels.close)
    auth = local if service.name == "auth" else channels.to("auth")
    identity = Identity(settings=settings, service=service.name, auth_channel=auth, clock=clock)
    channels.identify(identity.service_metadata)
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
        observe,
        map_errors,
        DeadlineInterceptor(settings),
        AdmissionInterceptor(settings),
        identity.principal,
        identity.admit,
        ValidationInterceptor(),
        identity.authorize,
    ]


@asynccontextmanager
async def _working(
    workers: list[Callable[[], Awaitable[None]]],
) -> AsyncIterator["asyncio.Future[None]"]:
    """Runs the workers beside what is inside; the future yielded gets the first failure."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks = [asyncio.ensure_future(worker()) for worker in workers]
    for task in tasks:
        task.add_done_callback(lambda done: _report(done, failed))
    try:
        yield failed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        failed.cancel()


def _report(done: "asyncio.Future[None]", failed: "asyncio.Future[None]") -> None:
    if done.cancelled() or failed.done():
        return
    error = done.exception() or RuntimeError("a worker ended by itself")
    log.error("a worker failed, the service stops", exc_info=error)
    failed.set_exception(error)


async def _known(identity: Identity) -> None:
    # Without svc_auth a service still has its public methods to offer.
    with suppress(TimeoutError):
        async with asyncio.timeout(IDENTITY_SECONDS):
            await identity.ready()


@asynccontextmanager
async def _listening(context: Context[Any], parts: Parts) -> AsyncIterator[None]:
    settings = context.settings.current
    host = settings.bind_address
    https = [HttpServer(app, host, port) for port, app in parts.http.items()]
    server = Server(context.dispatcher)
    ports = getattr(settings, context.name)
    health = f"127.0.0.1:{ports.health_port or ports.grpc_port + 100}"
    secure = settings.effective_profile == "secure"
    grace = settings.mesh.drain_grace
    async with AsyncExitStack() as stack:
        await server.start(f"{host}:{ports.grpc_port}", health_address=health if secure else None)
        stack.push_async_callback(server.stop, grace)
        for http in https:
            await stack.enter_async_context(http.listening(grace))
        await _known(context.identity)
        await server.serving(ready=True)
        try:
            yield
        finally:
            await server.serving(ready=False)
