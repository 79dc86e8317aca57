"""The gRPC face of a dispatcher, with health and reflection beside it."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from mesh.errors import AppError
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.draining import until_draining
from mesh.rpc.handling import answer, internal, parse
from mesh.rpc.limits import KEEPALIVE, KEEPALIVE_MS, SIZES
from mesh.rpc.local_channel import new_call
from mesh.rpc.method import Method
from mesh.rpc.mux.serving import OPEN, SERVICE, Serving
from mesh.rpc.mux.window import Window
from mesh.rpc.status import to_status
from mesh.rpc.streams import closing
from mesh.rpc.transport import PLAINTEXT, Transport

log = structlog.get_logger("rpc")

CallOf = Callable[[Method[Any, Any], Any], Call]
OPTIONS = (
    # A second process on our port must fail, not share it silently.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    # A caller whose machine is gone says nothing; its stream and its calls would stay for hours.
    *KEEPALIVE,
    *SIZES,
)


# A stream of calls is left before its connection ends, which gRPC does up to a tenth earlier.
CONNECTION_AGE = "grpc.max_connection_age_ms"
AGE_SHARE = 0.8


class PortTakenError(OSError):
    """Another process listens on the address."""


class Server:
    """Serves a dispatcher's methods, gRPC health (v1) and reflection (v1alpha).

    `window` is what streams of calls are offered; without one, the most that one may have.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        transport: Transport = PLAINTEXT,
        window: Window | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._transport = transport
        self._window = window or Window()
        self._draining = asyncio.Event()
        self._health = _Health(self._draining)
        self._servers: list[grpc.aio.Server] = []

    async def start(self, address: str, *, health_address: str | None = None) -> int:
        """Listens; NOT_SERVING until `serving`. Raises PortTakenError.

        The health address is for health and reflection alone, in the clear. Returns
        the port, for an address that ends in ":0". Needs `stop`, also when it fails.
        """
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        # Of an option that is there twice gRPC takes the first.
        server = grpc.aio.server(options=(*self._transport.server_options, *OPTIONS))
        handlers = _Handlers(self._dispatcher, self._draining, self._transport, self._window)
        server.add_generic_rpc_handlers((handlers,))
        port = await self._listen(server, address, self._transport)
        if health_address is not None:
            await self._listen(grpc.aio.server(options=OPTIONS), health_address, PLAINTEXT)
        return port

    async def _listen(self, server: grpc.aio.Server, address: str, transport: Transport) -> int:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(self._service_names(), server)
        self._servers.append(server)
        try:
            port = transport.listen(server, address)
        except RuntimeError as error:
            raise PortTakenError(f"cannot listen on {address}: is it taken?") from error
        await server.start()
        return port

    def _service_names(self) -> tuple[str, ...]:
        ours = sorted({method.service for method in self._dispatcher.methods.values()})
        return (*ours, SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)

    async def serving(self, *, ready: bool) -> None:
        """Tells health checks, for the whole process and for each of its services."""
        states = health_pb2.HealthCheckResponse
        for name in ("", *self._service_names()):
            await self._health.set(name, states.SERVING if ready else states.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Takes no new calls, ends streams and gives calls in flight `grace` seconds."""
        self._draining.set()
        await asyncio.gather(*(server.stop(grace) for server in self._servers))


class _Health(health.aio.HealthServicer):  # type: ignore[misc] # grpc_health is untyped
    """Health whose watches end with the drain, as all streams do."""

    def __init__(self, draining: asyncio.Event) -> None:
        super().__init__()
        self._draining = draining

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802
        """States as they change."""
        watching = asyncio.ensure_future(super().Watch(request, context))
        stop = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait({watching, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            stop.cancel()
            await asyncio.gather(watching, stop, return_exceptions=True)


class _Handlers(grpc.GenericRpcHandler):
    """Every method as bytes in and out; parsing happens here, once."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        draining: asyncio.Event,
        transport: Transport,
        window: Window,
    ) -> None:
        call_of = partial(_call, transport)
        opened = _open(dispatcher, draining, transport, window)
        self._handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]] = {
            path: _rpc_handler(dispatcher, method, draining, call_of)
            for path, method in dispatcher.methods.items()
        } | {OPEN: grpc.stream_stream_rpc_method_handler(opened)}

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        return self._handlers.get(handler_call_details.method)


def _rpc_handler(
    dispatcher: Dispatcher, method: Method[Any, Any], draining: asyncio.Event, call_of: CallOf
) -> "grpc.RpcMethodHandler[Any, Any]":
    if method.streams:
        handle = _stream(dispatcher, method, draining, call_of)
        return grpc.unary_stream_rpc_method_handler(handle)
    return grpc.unary_unary_rpc_method_handler(_unary(dispatcher, method, call_of))


def _unary(
    dispatcher: Dispatcher, method: Method[Any, Any], call_of: CallOf
) -> Callable[[bytes, Any], Any]:
    async def handle(body: bytes, context: Any) -> bytes:
        try:
            return await answer(dispatcher, method, body, call_of(method, context))
        except AppError as error:
            await _abort(context, error)
            raise

    return handle


def _stream(
    dispatcher: Dispatcher, method: Method[Any, Any], draining: asyncio.Event, call_of: CallOf
) -> Callable[[bytes, Any], Any]:
    async def handle(body: bytes, context: Any) -> AsyncIterator[bytes]:
        try:
            call = call_of(method, context)
            responses = await dispatcher.call(parse(method, body), call)
            # gRPC serves each call in a task of its own, so there is nothing to reset.
            CURRENT.set(call)
            async with closing(until_draining(responses, draining)) as bounded:
                async for response in bounded:
                    yield response.SerializeToString()
        except AppError as error:
            await _abort(context, error)
        except Exception:
            # The interceptors have returned by now, so this is the stream's own last line.
            log.exception("unexpected error in a stream", method=method.path)
            await _abort(context, internal())

    return handle


def _open(
    dispatcher: Dispatcher, draining: asyncio.Event, transport: Transport, window: Window
) -> Callable[[Any, Any], Any]:
    age_ms = dict(transport.server_options).get(CONNECTION_AGE)

    async def handle(_frames: Any, context: Any) -> None:
        caller, peer = partial(transport.caller, context), _host(context.peer())
        try:
            # Who may not connect opens no stream either.
            caller()
            await Serving(
                dispatcher=dispatcher,
                draining=draining,
                window=window,
                call_of=lambda method, metadata: new_call(method, metadata, caller(), peer),
                age_seconds=None if age_ms is None else age_ms / 1000 * AGE_SHARE,
            )(context)
        except AppError as error:
            await _abort(context, error)

    return handle


async def _abort(context: Any, error: AppError) -> None:
    await context.abort_with_status(rpc_status.to_status(to_status(error)))


def _call(transport: Transport, method: Method[Any, Any], context: Any) -> Call:
    metadata = {key: value for key, value in context.invocation_metadata() if type(value) is str}
    call = new_call(method, metadata, transport.caller(context), _host(context.peer()))
    left = context.time_remaining()
    call.deadline = math.inf if left is None else asyncio.get_running_loop().time() + left
    return call


def _host(peer: str) -> str:
    """The address in gRPC's "ipv4:127.0.0.1:4711" and "ipv6:%5B::1%5D:4711"."""
    scheme, _, place = peer.partition(":")
    if scheme not in {"ipv4", "ipv6"}:
        return ""
    return unquote(place).rpartition(":")[0].strip("[]")
