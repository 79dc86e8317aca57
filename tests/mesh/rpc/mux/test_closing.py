"""The end of a channel, whatever its streams are about to do."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from leaky.mesh.v1.mux_service_pb2 import Call, Frame
from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import Channel
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.mux.channel import MultiplexedChannel
from tests.mesh.discovery.waiting import until
from tests.mesh.rpc.mux.peer import PATIENCE, Peer
from tests.mesh.rpc.serving import STATUS, quotas, served

pytestmark = pytest.mark.anyio


def streams() -> float:
    return REGISTRY.get_sample_value("mux_streams", {"side": "server"}) or 0


def plain(instances: Instances) -> BalancedChannel:
    return BalancedChannel(instances)


def multiplexed(instances: Instances) -> MultiplexedChannel:
    return MultiplexedChannel(GrpcChannel(instances.current[0]), instances)


@pytest.mark.parametrize("channel_to", [plain, multiplexed])
@pytest.mark.parametrize("turns", range(6))
async def test_calls_at_an_instance_that_has_just_gone_end_with_the_channel(
    turns: int, channel_to: Any
) -> None:
    begun = asyncio.Event()

    async def hang(_request: Any, _call: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with served(quotas(get_status=hang)) as up:
        before = streams()
        instances = Instances([f"127.0.0.1:{up.port}"])
        channel: Channel = channel_to(instances)
        if isinstance(channel, MultiplexedChannel):
            await until(lambda: channel.streams == 1)
        call = asyncio.ensure_future(channel.unary(STATUS, STATUS.request(), timeout=2 * PATIENCE))
        await begun.wait()
        instances.update(())
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await channel.close()
            with pytest.raises(AppError) as ended:
                await call
        assert ended.value.reason == REASON_UNAVAILABLE
        await until(lambda: streams() == before)


async def test_who_goes_away_without_having_read_leaves_nothing() -> None:
    begun = 0

    async def long(_request: Any, _call: Any) -> Any:
        nonlocal begun
        begun += 1
        return STATUS.response(version="x" * 500_000)

    async with served(quotas(get_status=long)) as up:
        before = streams()
        peer = Peer(up.port)
        await peer.send(Frame(calls=[Call(id=n, method=STATUS.path) for n in range(100)]))
        # These are not read any more.
        for n in range(100, 110):
            await peer.send(Frame(calls=[Call(id=n, method=STATUS.path)]))
        await until(lambda: begun >= 100)
        assert streams() == before + 1
        await peer.close()
        await until(lambda: streams() == before)
