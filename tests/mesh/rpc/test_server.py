import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from leaky.auth.v1.credential_service_pb2 import WatchRevocationsResponse
from leaky.common.v1.reason_pb2 import (
    REASON_DEADLINE_EXCEEDED,
    REASON_INTERNAL,
    REASON_INVALID_ARGUMENT,
    REASON_UNAVAILABLE,
    REASON_UNIMPLEMENTED,
)
from mesh.errors import AppError
from mesh.rpc.call import CURRENT
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.server import PortTakenError, Server, _host
from mesh.rpc.streams import closing
from tests.mesh.rpc.serving import (
    CREDENTIALS,
    EXCHANGE,
    GET,
    STATUS,
    WATCH,
    Hang,
    endless,
    failure,
    quotas,
    served,
    servicing,
)
from tests.ports import free_port

pytestmark = pytest.mark.anyio
# Far more than anything here takes, so that whoever waits for it fails the test.
GRACE, PATIENCE = 60.0, 20.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def raw(port: int) -> Any:
    """A channel of grpcio's own."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}")


async def health_of(channel: Any, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=PATIENCE)
    status: int = answer.status
    return status


async def test_bytes_that_are_no_request_are_the_callers_fault() -> None:
    dispatcher = Dispatcher([])
    dispatcher.add(quotas())
    server = Server(dispatcher)
    async with raw(await server.start("127.0.0.1:0")) as channel:
        for garbage in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(GET.path)(garbage, timeout=PATIENCE)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert refused.value.details() == "not a GetQuotaRequest"
    await server.stop(0)


async def test_what_a_handler_did_not_expect_is_logged_once_and_not_told() -> None:
    async def broken(_request: Any, _call: Any) -> Any:
        raise ValueError("the password is hunter2")

    async def torn(_request: Any, _call: Any) -> Any:
        return await endless_then_broken()

    async def endless_then_broken() -> AsyncIterator[Any]:
        async def messages() -> AsyncIterator[Any]:
            yield WatchRevocationsResponse()
            raise ValueError("the password is hunter2")

        return messages()

    async def nothing(_request: Any, _call: Any) -> Any:
        return None

    credentials = servicing(CREDENTIALS, watch_revocations=torn)
    async with served(quotas(get_quota=broken, get_status=nothing), credentials) as up:
        with capture_logs() as logs:
            errors = [
                await failure(up.channel.unary(GET, GET.request(), timeout=PATIENCE)),
                await failure(up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)),
                await failure(drained(up.channel.stream(WATCH, WATCH.request()))),
            ]
        said = [log["event"] for log in logs if log["log_level"] == "error"]
    assert said == ["unexpected error", "no response", "unexpected error in a stream"]
    for error in errors:
        assert (error.reason, error.message) == (REASON_INTERNAL, "internal error")


async def test_a_stranger_with_plain_grpc_is_not_told_either() -> None:
    async def torn(_request: Any, _call: Any) -> Any:
        async def messages() -> AsyncIterator[Any]:
            raise ValueError("the password is hunter2")
            yield

        return messages()

    dispatcher = Dispatcher([])
    dispatcher.add(servicing(CREDENTIALS, watch_revocations=torn))
    server = Server(dispatcher)
    async with raw(await server.start("127.0.0.1:0")) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_stream(WATCH.path)(b"", timeout=PATIENCE).read()
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert refused.value.details() == "internal error"
    await server.stop(0)


async def drained(stream: AsyncIterator[Any]) -> list[Any]:
    return [message async for message in stream]


async def test_a_method_that_is_not_served_is_unimplemented() -> None:
    async with served(quotas()) as up:
        error = await failure(up.channel.unary(EXCHANGE, EXCHANGE.request(), timeout=PATIENCE))
    assert error.reason == REASON_UNIMPLEMENTED


async def test_a_handler_sees_the_callers_metadata_and_time() -> None:
    seen: dict[str, Any] = {}

    async def look(_request: Any, call: Any) -> Any:
        seen["left"] = call.deadline - asyncio.get_running_loop().time()
        seen["call"] = call
        return STATUS.response()

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    metadata = {"traceparent": trace, "x-correlation-id": "c-1"}
    async with served(quotas(get_status=look)) as up:
        await up.channel.unary(STATUS, STATUS.request(), timeout=60, metadata=metadata)
        # gRPC rounds a timeout up, to three digits of it.
        assert 30 < seen["left"] <= 60.1
        assert seen["call"].correlation_id == "c-1"
        assert seen["call"].trace_id == "0af7651916cd43dd8448eb211c80319c"
        await up.channel.unary(STATUS, STATUS.request())
        assert seen["left"] == float("inf")


async def test_a_streams_own_calls_belong_to_its_call() -> None:
    seen: list[Any] = []

    async def watch(_request: Any, _call: Any) -> Any:
        async def messages() -> AsyncIterator[Any]:
            seen.append(CURRENT.get())
            yield WatchRevocationsResponse()

        return messages()

    metadata = {"x-correlation-id": "c-2"}
    async with served(servicing(CREDENTIALS, watch_revocations=watch)) as up:
        await drained(up.channel.stream(WATCH, WATCH.request(), metadata=metadata))
    assert [call.correlation_id for call in seen] == ["c-2"]


async def test_health_says_not_serving_until_it_serves_and_again_when_it_drains() -> None:
    dispatcher = Dispatcher([])
    dispatcher.add(quotas())
    server = Server(dispatcher)
    async with raw(await server.start("127.0.0.1:0")) as channel:
        assert await health_of(channel) == NOT_SERVING
        await server.serving(ready=True)
        assert await health_of(channel) == SERVING
        assert await health_of(channel, "leaky.token.v1.QuotaService") == SERVING
        with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
            await health_of(channel, "leaky.auth.v1.AuthService")
        await server.serving(ready=False)
        assert await health_of(channel) == NOT_SERVING
    await server.stop(0)


async def test_reflection_lists_what_is_served() -> None:
    async with served(quotas(), servicing(CREDENTIALS)) as up, raw(up.port) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        [answer] = [
            part async for part in stub.ServerReflectionInfo(iter([asked]), timeout=PATIENCE)
        ]
    assert {service.name for service in answer.list_services_response.service} == {
        "leaky.token.v1.QuotaService",
        "leaky.auth.v1.CredentialService",
        "leaky.mesh.v1.MuxService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_the_health_address_serves_health_and_nothing_of_ours() -> None:
    dispatcher = Dispatcher([])
    dispatcher.add(quotas())
    server, port = Server(dispatcher), free_port()
    await server.start("127.0.0.1:0", health_address=f"127.0.0.1:{port}")
    await server.serving(ready=True)
    async with raw(port) as channel:
        assert await health_of(channel) == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(STATUS.path)(b"", timeout=PATIENCE)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await server.stop(0)


async def test_a_taken_port_is_named() -> None:
    async with served(quotas()) as up:
        taken = up.port
        second = Server(Dispatcher([]))
        with pytest.raises(PortTakenError, match=f"cannot listen on 127.0.0.1:{taken}"):
            await second.start(f"127.0.0.1:{taken}")
        await second.stop(0)


async def test_a_taken_health_port_leaves_the_first_one_free_again() -> None:
    async with served(quotas()) as up:
        taken = up.port
        address = f"127.0.0.1:{free_port()}"
        second = Server(Dispatcher([]))
        with pytest.raises(PortTakenError):
            await second.start(address, health_address=f"127.0.0.1:{taken}")
        await second.stop(0)
        third = Server(Dispatcher([]))
        await third.start(address)
        await third.stop(0)


async def test_a_drain_ends_streams_and_watches_of_health_long_before_its_grace() -> None:
    async with (
        served(servicing(CREDENTIALS, watch_revocations=endless)) as up,
        raw(up.port) as other,
        asyncio.timeout(PATIENCE),
    ):
        stream = up.channel.stream(WATCH, WATCH.request())
        assert (await anext(stream)).subject == "first"
        watch = health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        await up.server.serving(ready=False)
        assert (await watch.read()).status == NOT_SERVING
        await up.server.stop(GRACE)
        with pytest.raises(AppError) as ended:
            await anext(stream)
        assert await watch.read() is grpc.aio.EOF
    assert (ended.value.reason, ended.value.retry_after) == (REASON_UNAVAILABLE, 1)


async def test_a_call_that_outlives_the_grace_is_cut() -> None:
    hang = Hang()
    async with served(quotas(get_status=hang)) as up:
        call = asyncio.ensure_future(up.channel.unary(STATUS, STATUS.request(), timeout=GRACE))
        await hang.begun.wait()
        async with asyncio.timeout(PATIENCE):
            await up.server.stop(0.01)
            assert (await failure(call)).reason in {REASON_UNAVAILABLE, REASON_DEADLINE_EXCEEDED}
            await hang.ended.wait()


async def test_a_watcher_that_leaves_closes_the_watch() -> None:
    closed = asyncio.Event()

    async def watch(_request: Any, _call: Any) -> Any:
        async def messages() -> AsyncIterator[Any]:
            try:
                while True:
                    yield WatchRevocationsResponse()
                    await asyncio.sleep(0)
            finally:
                closed.set()

        return messages()

    async with served(servicing(CREDENTIALS, watch_revocations=watch)) as up:
        async with closing(up.channel.stream(WATCH, WATCH.request())) as stream:
            await anext(stream)
        async with asyncio.timeout(PATIENCE):
            await closed.wait()


async def test_an_invalid_request_is_told_with_all_its_fields() -> None:
    async def refuse(_request: Any, _call: Any) -> Any:
        raise AppError(REASON_INVALID_ARGUMENT, "é" * 3000)

    async with served(quotas(get_status=refuse)) as up:
        error = await failure(up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
    assert (error.reason, error.message) == (REASON_INVALID_ARGUMENT, "é" * 3000)


async def test_a_call_comes_from_its_peer_whatever_it_says() -> None:
    seen: list[str] = []

    async def look(_request: Any, call: Any) -> Any:
        seen.append(call.client_address)
        return STATUS.response()

    async with served(quotas(get_status=look)) as up:
        metadata = {"x-internal-client-address": "6.6.6.6"}
        await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE, metadata=metadata)
    assert seen == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.1:4711", "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:4711", "2001:db8::1"),
        ("ipv6:[::1]:4711", "::1"),
        ("unix:/run/leaky", ""),
        ("unknown", ""),
    ],
)
def test_a_peers_host(peer: str, host: str) -> None:
    assert _host(peer) == host
