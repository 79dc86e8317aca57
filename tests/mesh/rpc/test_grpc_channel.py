import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_INTERNAL,
    REASON_UNAVAILABLE,
)
from mesh.errors import AppError
from mesh.rpc.grpc_channel import GrpcChannel
from tests.mesh.rpc.serving import GET, STATUS, failure, quotas, served
from tests.ports import free_port

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


async def test_nobody_at_the_address_is_unavailable_without_naming_it() -> None:
    port = free_port()
    channel = GrpcChannel(f"127.0.0.1:{port}")
    for _attempt in range(2):
        got = await failure(channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
        assert (got.reason, got.message) == (REASON_UNAVAILABLE, "service unavailable")
    await channel.close()


@asynccontextmanager
async def slow_door(port: int, seconds: float) -> AsyncIterator[int]:
    """A port whose connections are led to the other one after a while."""

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        behind, ahead = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, ahead), copy(behind, writer))

    async with await asyncio.start_server(lead, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_connection_may_take_its_time() -> None:
    """More than the pause between two attempts: a handshake on a busy machine does."""
    async with served(quotas()) as up, slow_door(up.port, 0.3) as port:
        channel = GrpcChannel(f"127.0.0.1:{port}")
        assert await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE) == STATUS.response()
        await channel.close()


async def test_a_header_that_grpc_refuses_is_an_error_of_ours() -> None:
    async with served(quotas()) as up:
        for value in ("é", "a\nb"):
            call = up.channel.unary(
                STATUS, STATUS.request(), timeout=PATIENCE, metadata={"x-api-key": value}
            )
            assert (await failure(call)).reason == REASON_INTERNAL


class _Strange(grpc.GenericRpcHandler):
    """A peer that is not ours."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        async def garbage(_body: bytes, _context: Any) -> bytes:
            return b"\xff\xff\xff"

        async def torn(_body: bytes, context: Any) -> bytes:
            context.set_trailing_metadata((("grpc-status-details-bin", b"\xff"),))
            await context.abort(grpc.StatusCode.UNAVAILABLE, "at 10.0.0.7")
            return b""

        strange = garbage if handler_call_details.method == GET.path else torn
        return grpc.unary_unary_rpc_method_handler(strange)


@asynccontextmanager
async def strange_peer() -> AsyncIterator[GrpcChannel]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Strange(),))
    channel = GrpcChannel(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    await server.start()
    yield channel
    await channel.close()
    await server.stop(0)


async def test_an_answer_that_cannot_be_read_is_an_error_and_no_response() -> None:
    async with strange_peer() as channel:
        got = await failure(channel.unary(GET, GET.request(), timeout=PATIENCE))
        assert got.reason == REASON_INTERNAL
        got = await failure(channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
        assert (got.reason, got.message) == (REASON_UNAVAILABLE, "service unavailable")


async def test_a_peer_that_comes_back_is_found_again() -> None:
    port = free_port()
    channel = GrpcChannel(f"127.0.0.1:{port}")
    assert (await failure(channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))).reason
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Back(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
            except AppError as error:
                assert error.reason == REASON_UNAVAILABLE  # noqa: PT017 until it is back
                await asyncio.sleep(0)
            else:
                break
    await channel.close()
    await server.stop(0)


class _Back(grpc.GenericRpcHandler):
    def service(self, _details: grpc.HandlerCallDetails) -> Any:
        async def empty(_body: bytes, _context: Any) -> bytes:
            return b""

        return grpc.unary_unary_rpc_method_handler(empty)
