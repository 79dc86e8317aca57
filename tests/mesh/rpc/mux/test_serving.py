"""What a peer that is not ours may send, and what a stream does as it grows old."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import (
    REASON_INTERNAL,
    REASON_INVALID_ARGUMENT,
    REASON_OVERLOADED,
    REASON_UNIMPLEMENTED,
)
from leaky.mesh.v1.mux_service_pb2 import Call, Credential, Frame, Result
from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.resilience.backoff import Backoff
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.mux import link
from mesh.rpc.mux.channel import MultiplexedChannel
from mesh.rpc.mux.credentials import MOST, MOST_BYTES
from mesh.rpc.mux.serving import MOST_IN_FLIGHT
from mesh.rpc.mux.session import Session
from mesh.rpc.server import CONNECTION_AGE, Server
from mesh.rpc.transport import Options, Plaintext
from tests.mesh.discovery.waiting import until
from tests.mesh.rpc.load import under_load
from tests.mesh.rpc.mux.peer import PATIENCE, Peer
from tests.mesh.rpc.serving import GET, STATUS, WATCH, Hang, multiplexing, quotas, served
from tests.ports import free_port

pytestmark = pytest.mark.anyio


async def code_of(peer: Peer) -> grpc.StatusCode:
    """What the stream ends with."""
    with suppress(grpc.aio.AioRpcError):
        while await peer.stream.read() is not grpc.aio.EOF:
            pass
    code: grpc.StatusCode = await peer.stream.code()
    await peer.close()
    return code


async def test_calls_of_one_frame_each_have_a_result() -> None:
    async with served(quotas()) as up:
        peer = Peer(up.port)
        await peer.receive()
        calls = [Call(id=n, method=STATUS.path) for n in range(10)]
        await peer.send(Frame(calls=[*calls, Call(id=10, method=WATCH.path)]))
        results: dict[int, Result] = {}
        while len(results) < 11:
            results |= {result.id: result for result in (await peer.receive()).results}
        assert {results[n].WhichOneof("outcome") for n in range(10)} == {"payload"}
        assert results[10].status.code == grpc.StatusCode.UNIMPLEMENTED.value[0]
        # Whoever has nothing more to say still hears the rest, and then the end.
        await peer.stream.done_writing()
        assert await peer.stream.read() is grpc.aio.EOF
        assert await peer.stream.code() is grpc.StatusCode.OK
        await peer.close()


@pytest.mark.parametrize(
    "frame",
    [
        Frame(calls=[Call(id=1, method=GET.path), Call(id=1, method=GET.path)]),
        Frame(credentials=[Credential(number=0, authorization="Bearer x")]),
        Frame(credentials=[Credential(number=MOST + 1, authorization="Bearer x")]),
        Frame(credentials=[Credential(number=1, authorization="x" * (MOST_BYTES + 1))]),
    ],
)
async def test_a_frame_that_nobody_may_send_ends_the_stream(frame: Frame) -> None:
    async with served(quotas()) as up:
        peer = Peer(up.port)
        await peer.send(frame)
        assert await code_of(peer) is grpc.StatusCode.INVALID_ARGUMENT


async def test_bytes_that_are_no_frame_end_the_stream_and_no_other() -> None:
    async with served(quotas(), multiplexed=True) as up:
        peer = Peer(up.port)
        await peer.stream.write(b"\xff\xff\xff")
        assert await code_of(peer) is grpc.StatusCode.INVALID_ARGUMENT
        assert await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)


async def test_a_credential_that_was_never_told_is_none() -> None:
    seen: list[str | None] = []

    async def note(_request: Any, call: Any) -> Any:
        seen.append(call.metadata.get("authorization"))
        return STATUS.response()

    async with served(quotas(get_status=note)) as up:
        peer = Peer(up.port)
        await peer.receive()
        await peer.send(Frame(calls=[Call(id=1, method=STATUS.path, credential=7)]))
        await peer.receive()
        told = Credential(number=7, authorization="Bearer t")
        call = Call(id=1, method=STATUS.path, credential=7)
        await peer.send(Frame(credentials=[told], calls=[call]))
        await peer.receive()
        await peer.close()
    assert seen == ["", "Bearer t"]


async def test_a_credential_that_is_too_long_for_a_stream_goes_another_way() -> None:
    seen: list[int] = []

    async def note(_request: Any, call: Any) -> Any:
        seen.append(len(call.metadata.get("authorization", "")))
        return STATUS.response()

    async with served(quotas(get_status=note), multiplexed=True) as up:
        for length in (MOST_BYTES, MOST_BYTES + 1):
            metadata = {"authorization": "x" * length}
            call = up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE, metadata=metadata)
            with suppress(AppError):
                # gRPC has a limit of its own for it.
                await call
        await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        assert isinstance(up.channel, MultiplexedChannel)
        assert up.channel.streams == 1
    assert seen[0] == MOST_BYTES


async def test_who_goes_away_takes_the_calls_with_it() -> None:
    hang = Hang()
    async with served(quotas(get_status=hang)) as up:
        peer = Peer(up.port)
        await peer.send(Frame(calls=[Call(id=1, method=STATUS.path)]))
        await hang.begun.wait()
        await peer.close()
        async with asyncio.timeout(PATIENCE):
            await hang.ended.wait()


async def test_a_call_that_is_cancelled_before_it_has_begun_leaves_nothing() -> None:
    async with served(quotas()) as up:
        peer = Peer(up.port)
        await peer.receive()
        call = Call(id=1, method=STATUS.path)
        for _ in range(3):
            await peer.send(Frame(calls=[call], cancelled=[1]))
        await peer.send(Frame(calls=[call]))
        assert [result.id for result in (await peer.receive()).results] == [1]
        await peer.close()


async def test_who_sends_more_calls_than_may_be_in_flight_is_sent_away() -> None:
    async def hang(_request: Any, _call: Any) -> Any:
        await asyncio.Event().wait()

    async with served(quotas(get_status=hang)) as up:
        peer = Peer(up.port)
        calls = [Call(id=n, method=STATUS.path) for n in range(MOST_IN_FLIGHT + 1)]
        await peer.send(Frame(calls=calls))
        assert await code_of(peer) is grpc.StatusCode.INVALID_ARGUMENT


class _Aging(Plaintext):
    """Connections end after a second, and what is on them ten seconds later."""

    server_options: Options = (
        (CONNECTION_AGE, 1_000),
        ("grpc.max_connection_age_grace_ms", 10_000),
    )


async def test_a_stream_is_left_before_its_connection_ends_and_loses_no_call() -> None:
    async def some_time(_request: Any, _call: Any) -> Any:
        await asyncio.sleep(0.05)
        return STATUS.response()

    dispatcher = Dispatcher([map_errors])
    dispatcher.add(quotas(get_status=some_time))
    server = Server(dispatcher, _Aging())
    port = await server.start("127.0.0.1:0")
    channel = await multiplexing(GrpcChannel(f"127.0.0.1:{port}"), port)
    sessions: set[Session | None] = set()
    async with under_load(channel, callers=8) as load:
        async with asyncio.timeout(PATIENCE):
            while len(sessions) < 4:
                sessions.add(channel.least())
                await asyncio.sleep(0.01)
    assert load.failed == []
    await channel.close()
    await server.stop(0)


async def test_the_fallback_serves_where_the_peer_has_no_streams_of_calls() -> None:
    class Old(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> Any:
            async def empty(_body: bytes, _context: Any) -> bytes:
                return b""

            served_here = details.method == STATUS.path
            return grpc.unary_unary_rpc_method_handler(empty) if served_here else None

    old = grpc.aio.server()
    old.add_generic_rpc_handlers((Old(),))
    addresses = [f"127.0.0.1:{old.add_insecure_port('127.0.0.1:0')}"]
    await old.start()
    async with served(quotas()) as up:
        addresses.append(f"127.0.0.1:{up.port}")
        plain = GrpcChannel(addresses[0])
        channel = MultiplexedChannel(plain, Instances(addresses))
        await until(lambda: channel.streams == 1 and channel.least() is None)
        assert await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        await channel.close()
    await old.stop(0)


async def test_who_begins_to_serve_streams_of_calls_is_called_over_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "UNSERVED_SECONDS", 0.01)
    port = free_port()
    old = grpc.aio.server()
    old.add_insecure_port(f"127.0.0.1:{port}")
    await old.start()
    address = f"127.0.0.1:{port}"
    channel = MultiplexedChannel(GrpcChannel(address), Instances([address]))
    with pytest.raises(AppError) as refused:
        await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
    assert refused.value.reason == REASON_UNIMPLEMENTED
    assert channel.streams == 0
    await old.stop(0)
    dispatcher = Dispatcher([])
    dispatcher.add(quotas())
    server = Server(dispatcher)
    await server.start(f"127.0.0.1:{port}")
    await until(lambda: channel.least() is not None)
    assert await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
    await channel.close()
    await server.stop(0)


async def test_what_nobody_expected_of_a_connection_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "BACKOFF", Backoff(first=0.01, cap=0.01))
    dials = 0

    class Failing(Plaintext):
        def dial(self, service: str, target: str, options: Options) -> grpc.aio.Channel:
            nonlocal dials
            dials += 1
            if dials <= 2:
                raise RuntimeError("no more files")
            return super().dial(service, target, options)

    async with served(quotas()) as up:
        address = f"127.0.0.1:{up.port}"
        plain = GrpcChannel(address)
        channel = MultiplexedChannel(plain, Instances([address]), transport=Failing())
        await until(lambda: channel.streams == 1)
        assert dials == 3
        await channel.close()


async def test_calls_go_where_fewest_are_in_flight() -> None:
    got, begun = Counter[str](), asyncio.Event()

    def instance(name: str) -> Any:
        async def answer(request: Any, _call: Any) -> Any:
            got[name] += 1
            if request.provider == "slow":
                begun.set()
                await asyncio.Event().wait()
            return GET.response()

        return served(quotas(get_quota=answer))

    async with instance("one") as one, instance("two") as two:
        addresses = [f"127.0.0.1:{up.port}" for up in (one, two)]
        channel = MultiplexedChannel(GrpcChannel(addresses[0]), Instances(addresses))
        await until(lambda: channel.streams == 2)
        slow = GET.request(provider="slow")
        hanging = asyncio.ensure_future(channel.unary(GET, slow, timeout=PATIENCE))
        await begun.wait()
        for _ in range(10):
            await channel.unary(GET, GET.request(), timeout=PATIENCE)
        # The one that hangs is alone where it is.
        assert sorted(got.values()) == [1, 10]
        hanging.cancel()
        await channel.close()


async def test_a_frame_of_long_refusals_is_none_that_ends_the_stream() -> None:
    refused = AppError(REASON_INVALID_ARGUMENT, "x" * 60_000)

    async def refuse(_request: Any, _call: Any) -> Any:
        raise refused

    async with served(quotas(get_status=refuse), multiplexed=True) as up:
        calls = (up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE) for _ in range(300))
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert {getattr(end, "reason", None) for end in ends} == {REASON_INVALID_ARGUMENT}


async def test_a_refusal_that_is_too_long_fails_alone() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def refuse(_request: Any, _call: Any) -> Any:
        raise AppError(REASON_INVALID_ARGUMENT, "x" * 9_000_000)

    async def wait(_request: Any, _call: Any) -> Any:
        begun.set()
        await go_on.wait()
        return GET.response()

    async with served(quotas(get_status=refuse, get_quota=wait), multiplexed=True) as up:
        beside = asyncio.ensure_future(up.channel.unary(GET, GET.request(), timeout=PATIENCE))
        await begun.wait()
        with pytest.raises(AppError) as caught:
            await up.channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        assert caught.value.reason == REASON_OVERLOADED
        go_on.set()
        assert await beside == GET.response()


async def internal_error(channel: Channel) -> list[str]:
    """What is logged as a call fails of which its caller learns nothing else."""
    with capture_logs() as logs, pytest.raises(AppError) as caught:
        await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
    assert (caught.value.reason, caught.value.message) == (REASON_INTERNAL, "internal error")
    return [log["event"] for log in logs if log["log_level"] == "error"]


async def test_who_cannot_be_told_why_is_told_something() -> None:
    async def refuse(_request: Any, _call: Any) -> Any:
        # No text in UTF-8, as a file's name may be.
        raise AppError(REASON_INVALID_ARGUMENT, "\udcff")

    async with served(quotas(get_status=refuse), multiplexed=True) as up:
        assert await internal_error(up.channel) == ["no result"]


async def test_what_nobody_expected_before_a_call_is_dispatched_is_a_result_too() -> None:
    class Puzzled(Plaintext):
        opened = False

        def caller(self, context: Any) -> str:
            if self.opened:
                raise RuntimeError("no such certificate")
            self.opened = True
            return super().caller(context)

    dispatcher = Dispatcher([map_errors])
    dispatcher.add(quotas())
    server = Server(dispatcher, Puzzled())
    port = await server.start("127.0.0.1:0")
    channel = await multiplexing(GrpcChannel(f"127.0.0.1:{port}"), port)
    assert await internal_error(channel) == ["no result"]
    await channel.close()
    await server.stop(0)
