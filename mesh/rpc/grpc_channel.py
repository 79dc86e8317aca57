"""Ordinary gRPC calls to one target: an address, or several that share the calls."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from grpc.aio import AioRpcError, BaseError, UsageError

from leaky.common.v1.reason_pb2 import REASON_INTERNAL, REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.rpc.cancelled import asked_for
from mesh.rpc.channel import CALLED, CALLING, InstanceLostError
from mesh.rpc.limits import KEEPALIVE, SIZES
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.status import DETAILS_KEY, from_rpc_error
from mesh.rpc.transport import PLAINTEXT, Transport

# A peer that comes back is found again within a second, not gRPC's two minutes.
OPTIONS = (
    # Over several addresses: each call goes to the next one that is connected.
    ("grpc.lb_policy_name", "round_robin"),
    # Inside the mesh nothing goes by the environment's proxy.
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Whatever its name says, what one attempt may take at least: TLS on a busy machine, too.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    *KEEPALIVE,
    *SIZES,
)


class GrpcChannel:
    """One HTTP/2 connection an address, made at the first call and again when it breaks.

    `several` says that the target has more than one; `service` is whom the transport
    expects to find there.
    """

    def __init__(
        self,
        target: str,
        *,
        several: bool = False,
        service: str = "",
        transport: Transport = PLAINTEXT,
    ) -> None:
        self._several = several
        self._channel = transport.dial(service, target, OPTIONS)
        self._unary: dict[str, Any] = {}

    def connect(self) -> None:
        """Begins to connect before there is a call."""
        self._channel.get_state(try_to_connect=True)

    async def connected(self) -> None:
        """Returns when there is a connection."""
        while True:
            state = self._channel.get_state(try_to_connect=True)
            if state is grpc.ChannelConnectivity.READY:
                return
            await self._channel.wait_for_state_change(state)

    async def unary(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        metadata: Mapping[str, str] | None = None,
    ) -> Res:
        """The response; fails at once when there is no connection."""
        stub = self._unary.get(method.path)
        if stub is None:
            stub = self._unary[method.path] = self._channel.unary_unary(
                method.path, method.request.SerializeToString, method.response.FromString
            )
        if timeout == math.inf:
            # Which gRPC takes for a time that has passed.
            timeout = None
        CALLING()
        try:
            response: Res | None = await stub(request, timeout=timeout, metadata=_pairs(metadata))
        except _FAILURES as error:
            raise self._mapped(error) from None
        CALLED()
        if response is None:
            # What gRPC makes of bytes that it cannot parse.
            raise AppError(REASON_INTERNAL, "internal error")
        return response

    async def stream(
        self,
        method: Method[Req, Res],
        request: Req,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Res]:
        """The responses of a server stream."""
        stub = self._channel.unary_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        try:
            call = stub(request, metadata=_pairs(metadata))
            try:
                while (response := await read_of(call)) is not grpc.aio.EOF:
                    yield response
            finally:
                call.cancel()
        except _FAILURES as error:
            raise self._mapped(error) from None

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    def _mapped(self, error: BaseException) -> BaseException:
        if isinstance(error, AioRpcError):
            mapped = from_rpc_error(error)
            return InstanceLostError() if _by_grpc(error, mapped) and self._others() else mapped
        if isinstance(error, asyncio.CancelledError) and asked_for():
            return error
        # gRPC also cancels the calls of a channel that is closed, and refuses new ones.
        if isinstance(error, (asyncio.CancelledError, UsageError)):
            return AppError(REASON_UNAVAILABLE, "service unavailable")
        return AppError(REASON_INTERNAL, "internal error")

    def _others(self) -> bool:
        """Whether another address is connected."""
        return self._several and self._channel.get_state() is grpc.ChannelConnectivity.READY


def _pairs(metadata: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(metadata.items()) if metadata else ()


_FAILURES = (AioRpcError, BaseError, asyncio.CancelledError)


def _by_grpc(error: AioRpcError, mapped: AppError) -> bool:
    """Whether the connection failed, and not the service behind it."""
    told = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
    return mapped.reason == REASON_UNAVAILABLE and not told


async def read_of(call: Any) -> Any:
    """The next message of a call of grpc.aio, or its EOF; to cancel this ends the call.

    A read ends with its call, never by itself: one that is cut off leaves memory behind
    that gRPC still writes to, and tells of its end when the event loop may be closed.
    """
    reading = asyncio.ensure_future(call.read())
    try:
        await asyncio.wait({reading})
    except asyncio.CancelledError:
        call.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        raise
    return reading.result()
