"""A service as its wiring puts it together, in this process, behind all its interceptors."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import httpx

from mesh.clock import Clock, RandomIds, SystemClock
from mesh.identity.identity import Identity
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Dispatcher, Interceptor
from mesh.rpc.interceptors.deadline import DeadlineInterceptor
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.rpc.resilient import ResilientChannel
from mesh.service import Context, Parts, Service
from mesh.settings import Live
from mesh.telemetry.tracing.calls import trace_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """`channel` reaches its methods as nobody in particular; `client(port)` its REST."""

    parts: Parts
    channel: Channel

    def client(self, port: int, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """A client whose requests come from an address."""
        app = cast("Any", self.parts.http[port])
        transport = httpx.ASGITransport(app=app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://here")


@asynccontextmanager
async def wired(
    service: Service[Any],
    settings: Live[Any],
    *,
    others: Mapping[str, Channel],
    clock: Clock | None = None,
    work: bool = False,
) -> AsyncIterator[Wired]:
    """The service; `others` lead to what it calls, `work` says whether its workers run.

    Another one's `channel` proves this one as its connection would.
    """
    clock = clock or SystemClock()
    chain: list[Interceptor] = []
    dispatcher = Dispatcher(chain)
    local = LocalChannel(dispatcher)

    def reached(name: str) -> Channel:
        other = local if name == service.name else others[name]
        return other.as_service(service.name) if isinstance(other, LocalChannel) else other

    identity = Identity(settings=settings, auth_channel=reached("auth"), clock=clock)
    chain += [
        trace_calls,
        map_errors,
        DeadlineInterceptor(settings),
        identity.principal,
        identity.admit,
        ValidationInterceptor(),
        identity.authorize,
    ]

    def channel(name: str) -> Channel:
        return ResilientChannel(inner=reached(name), target=name, settings=settings)

    context = Context(
        name=service.name,
        settings=settings,
        clock=clock,
        ids=RandomIds(),
        channel=channel,
        local=local,
        dispatcher=dispatcher,
        identity=identity,
    )
    async with service.build(context) as parts:
        for servicer in parts.servicers:
            dispatcher.add(servicer)
        runs = [identity.run(), *(worker() for worker in parts.workers if work)]
        tasks = [asyncio.ensure_future(run) for run in runs]
        try:
            await identity.ready()
            yield Wired(parts=parts, channel=local)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
