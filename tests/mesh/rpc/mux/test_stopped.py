"""Who stands still or is cut off with connections open: keepalive tells of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from typing import Any

import grpc
import pytest

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED, REASON_UNAVAILABLE
from leaky.mesh.v1.mux_service_pb2 import Call, Frame
from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import InstanceLostError
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.mux.channel import MultiplexedChannel
from mesh.rpc.server import OPTIONS, Server
from mesh.rpc.transport import Options, Plaintext
from tests.mesh.discovery.waiting import until
from tests.mesh.rpc.instance import instance
from tests.mesh.rpc.load import under_load
from tests.mesh.rpc.mux.peer import Peer
from tests.mesh.rpc.serving import STATUS, Hang, failure, quotas
from tests.ports import free_port
from tests.standstill import stopped

pytestmark = pytest.mark.anyio
# In place of 20 and 5 seconds, where these are set.
QUICK = {"grpc.keepalive_time_ms": 200, "grpc.http2.ping_timeout_ms": 1_000}
# Where it is for one of two: a busy machine may keep the other from answering for a second.
PATIENT = {**QUICK, "grpc.http2.ping_timeout_ms": 5_000}
# A frame's length, type, flags and stream (RFC 9113, 6.7); an answer has other flags.
PING = b"\0\0\x08\x06\0\0\0\0\0"
# On a machine that is busy with other tests.
PATIENCE = 30.0


def changed(options: Options, times: Mapping[str, int]) -> Options:
    return [(name, times.get(name, value)) for name, value in options]


class Quick(Plaintext):
    """Notices a peer that is not there within a second or so."""

    def __init__(self, times: Mapping[str, int] = QUICK) -> None:
        self._times = times
        # Of an option that is there twice gRPC takes the first.
        self.server_options = changed(OPTIONS, times)

    def dial(self, service: str, target: str, options: Options) -> grpc.aio.Channel:
        return super().dial(service, target, changed(options, self._times))


def channel_to(*ports: int, times: Mapping[str, int] = QUICK) -> MultiplexedChannel:
    addresses = [f"127.0.0.1:{port}" for port in ports]
    plain = BalancedChannel(Instances(addresses), transport=Quick(times))
    return MultiplexedChannel(plain, Instances(addresses), transport=Quick(times))


async def ask(channel: MultiplexedChannel, timeout: float) -> Any:  # noqa: ASYNC109
    return await channel.unary(STATUS, STATUS.request(), timeout=timeout)


async def test_calls_at_an_instance_that_stands_still_end_long_before_their_deadlines() -> None:
    port = free_port()
    with instance(port) as process:
        channel = channel_to(port)
        await until(lambda: channel.streams == 1)
        with stopped(process):
            calls = [asyncio.ensure_future(ask(channel, 10 * PATIENCE)) for _ in range(50)]
            hasty = asyncio.ensure_future(ask(channel, 0.1))
            assert (await failure(hasty)).reason == REASON_DEADLINE_EXCEEDED
            async with asyncio.timeout(PATIENCE):
                ends = await asyncio.gather(*calls, return_exceptions=True)
            for end in ends:
                assert isinstance(end, AppError)
                assert end.reason == REASON_UNAVAILABLE
            assert channel.streams == 0
        await until(lambda: channel.streams == 1, PATIENCE)
        assert (await ask(channel, PATIENCE)).version == str(port)
        await channel.close()


class Line:
    """Carries bytes both ways, and counts what asks whether the other end is there."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.pings = 0
        self.intact = asyncio.Event()
        self.intact.set()

    async def carry(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, onward = await asyncio.open_connection("127.0.0.1", self._port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._carry(client, onward))
            group.create_task(self._carry(server, back))

    async def _carry(self, come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
        with closing(go), suppress(ConnectionError):
            while data := await come.read(65_536):
                self.pings += data.count(PING)
                await self.intact.wait()
                go.write(data)
                await go.drain()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[tuple[Line, int]]:
    """A line to there, and the port that it begins at."""
    line = Line(port)
    relay = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    try:
        yield line, relay.sockets[0].getsockname()[1]
    finally:
        relay.close()


async def test_an_instance_that_stands_still_while_nothing_is_said_is_noticed_too() -> None:
    port = free_port()
    with instance(port) as process:
        async with line_to(port) as (line, begin):
            channel = channel_to(begin)
            await until(lambda: channel.streams == 1)
            # Without leave for more, gRPC would be silent by then.
            await until(lambda: line.pings >= 4, PATIENCE)
            with stopped(process):
                await until(lambda: channel.streams == 0, PATIENCE)
            await until(lambda: channel.streams == 1, PATIENCE)
            assert (await ask(channel, PATIENCE)).version == str(port)
            await channel.close()


async def test_a_caller_that_is_cut_off_leaves_nothing_at_the_server() -> None:
    hang = Hang()
    dispatcher = Dispatcher([map_errors])
    dispatcher.add(quotas(get_status=hang))
    server = Server(dispatcher, Quick())
    port = await server.start("127.0.0.1:0")
    async with line_to(port) as (line, begin):
        peer = Peer(begin)
        await peer.send(Frame(calls=[Call(id=1, method=STATUS.path)]))
        await hang.begun.wait()
        line.intact.clear()
        # Long before the stream's own deadline.
        async with asyncio.timeout(PATIENCE / 2):
            await hang.ended.wait()
        line.intact.set()
        await peer.close()
    await server.stop(0)


async def test_calls_go_to_another_instance_while_one_stands_still_and_later_to_both() -> None:
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        stack.enter_context(instance(ports[0]))
        victim = stack.enter_context(instance(ports[1]))
        channel = channel_to(*ports, times=PATIENT)
        await until(lambda: channel.streams == 2)
        now = asyncio.get_running_loop().time
        async with under_load(channel) as load:
            await load.answers_of(str(ports[1]), since=now())
            with stopped(victim):
                await until(lambda: channel.streams == 1, PATIENCE)
                known = now()
                await load.goes_on(500)
            assert [begun for begun, _, _ in load.failed if begun > known] == []
            assert {error.reason for *_, error in load.failed} <= {
                REASON_UNAVAILABLE,
                REASON_DEADLINE_EXCEEDED,
            }
            lost = [error for *_, error in load.failed if error.reason == REASON_UNAVAILABLE]
            assert all(isinstance(error, InstanceLostError) for error in lost)
            await until(lambda: channel.streams == 2, PATIENCE)
            await load.answers_of(str(ports[1]), since=now())
        await channel.close()
