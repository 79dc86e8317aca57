"""Servicers of the real contracts whose handlers a test writes, really served."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import credential_service_pb2
from leaky.auth.v1.credential_service_pb2 import WatchRevocationsResponse
from leaky.token.v1 import consume_service_pb2, purchase_service_pb2, quota_service_pb2
from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Dispatcher, Interceptor, Servicer
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.method import Method, methods_of
from mesh.rpc.mux.channel import MultiplexedChannel
from mesh.rpc.mux.window import Window
from mesh.rpc.server import Server
from tests.mesh.discovery.waiting import until

T = TypeVar("T")
QUOTAS = quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"]
CONSUMES = consume_service_pb2.DESCRIPTOR.services_by_name["ConsumeService"]
PURCHASES = purchase_service_pb2.DESCRIPTOR.services_by_name["PurchaseService"]
CREDENTIALS = credential_service_pb2.DESCRIPTOR.services_by_name["CredentialService"]
METHODS: dict[str, Method[Any, Any]] = {
    method.name: method
    for service in (QUOTAS, CONSUMES, PURCHASES, CREDENTIALS)
    for method in methods_of(service)
}
STATUS, GET, CREATE = METHODS["GetStatus"], METHODS["GetQuota"], METHODS["CreateOrgQuota"]
EXCHANGE, WATCH = METHODS["ExchangeApiKey"], METHODS["WatchRevocations"]
CONSUME = METHODS["Consume"]
Work = Callable[[Any, Any], Awaitable[Any]]


def servicing(service: ServiceDescriptor, **handlers: Work) -> Servicer:
    """A servicer with these coroutines; its other rpcs answer with empty messages."""

    def coroutine(method: Method[Any, Any], work: Work | None) -> Any:
        async def handle(_self: object, request: Any, call: Any) -> Any:
            return method.response() if work is None else await work(request, call)

        return handle

    members: dict[str, Any] = {"SERVICE": service}
    for method in methods_of(service):
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower()
        members[name] = coroutine(method, handlers.get(name))
    made: Servicer = type("Servicing", (), members)()
    return made


def quotas(**handlers: Work) -> Servicer:
    return servicing(QUOTAS, **handlers)


async def endless(_request: Any, _call: Any) -> AsyncIterator[WatchRevocationsResponse]:
    """A watch: one message, then silence."""

    async def messages() -> AsyncIterator[WatchRevocationsResponse]:
        yield WatchRevocationsResponse(subject="first")
        await asyncio.Event().wait()

    return messages()


class Hang:
    """A handler that has no end but its cancellation."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def __call__(self, _request: Any, _call: Any) -> Any:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


async def failure(work: Awaitable[Any]) -> AppError:
    with pytest.raises(AppError) as caught:
        await work
    return caught.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server on a port of its own, and a channel of ours to it."""

    server: Server
    port: int
    channel: Channel


@asynccontextmanager
async def served(
    *servicers: Servicer,
    interceptors: Sequence[Interceptor] = (map_errors,),
    multiplexed: bool = False,
    window: Window | None = None,
) -> AsyncIterator[Served]:
    dispatcher = Dispatcher(interceptors)
    for servicer in servicers:
        dispatcher.add(servicer)
    server = Server(dispatcher, window=window)
    port = await server.start("127.0.0.1:0")
    plain = GrpcChannel(f"127.0.0.1:{port}")
    channel = await multiplexing(plain, port) if multiplexed else plain
    await server.serving(ready=True)
    try:
        yield Served(server=server, port=port, channel=channel)
    finally:
        await channel.close()
        await server.stop(0)


async def multiplexing(plain: Channel, *ports: int) -> MultiplexedChannel:
    """A channel that has its streams to all of these."""
    addresses = Instances(f"127.0.0.1:{port}" for port in ports)
    channel = MultiplexedChannel(plain, addresses)
    await streaming(channel, len(ports))
    return channel


async def streaming(channel: Channel, streams: int) -> None:
    """Returns when the calls of one that is multiplexed go over so many streams."""
    if isinstance(channel, MultiplexedChannel):
        await until(lambda: channel.streams == streams)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test may put forward."""

    _ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def travel(self, seconds: float) -> None:
        self._ahead += seconds


def on_travelling_loop(work: Callable[[Loop], Coroutine[Any, Any, T]]) -> T:
    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work(loop))
