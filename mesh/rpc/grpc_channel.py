"""Ordinary gRPC calls to one address."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc

from mesh.errors import AppError
from mesh.rpc.method import Method, Req, Res
from mesh.rpc.status import from_rpc_error

# A peer that comes back is found again within a second, not gRPC's two minutes.
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)


class GrpcChannel:
    """One HTTP/2 connection, made at the first call and made again when it breaks."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        self._unary: dict[str, Any] = {}

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
        try:
            response: Res = await stub(request, timeout=timeout, metadata=_pairs(metadata))
        except grpc.aio.AioRpcError as error:
            raise _mapped(error) from None
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
        call = stub(request, metadata=_pairs(metadata))
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise _mapped(error) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()


def _pairs(metadata: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(metadata.items()) if metadata else ()


def _mapped(error: grpc.aio.AioRpcError) -> AppError:
    return from_rpc_error(error)
