"""The end of a channel, whatever its streams are about to do."""

import asyncio
import math
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from leaky.mesh.v1.mux_service_pb2 import Call, Frame
from mesh.discovery.instances import Instances
from mesh.errors import AppError
from mesh.rpc import balanced_channel
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import Channel
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.mux import link
from mesh.rpc.mux.channel import MultiplexedChannel
from tests.mesh.discovery.waiting import until
from tests.mesh.rpc.mux.peer import PATIENCE, Peer
from tests.mesh.rpc.serving import STATUS, Hang, quotas, served, streaming

pytestmark = pytest.mark.anyio


def streams() -> float:
    return REGISTRY.get_sample_value("mux_streams", {"side": "server"}) or 0


def plain(instances: Instances) -> BalancedChannel:
    return BalancedChannel(instances)


def multiplexed(instances: Instances) -> MultiplexedChannel:
    return MultiplexedChannel(GrpcChannel(instances.current[0]), instances)


async def left(channel_to: Any, port: int, hang: Hang, timeout: float) -> tuple[Channel, Any]:  # noqa: ASYNC109
    """A channel whose only instance has just gone, and the call that is in flight there."""
    instances = Instances([f"127.0.0.1:{port}"])
    channel: Channel = channel_to(instances)
    await streaming(channel, 1)
    call = asyncio.ensure_future(channel.unary(STATUS, STATUS.request(), timeout=timeout))
    await hang.begun.wait()
    instances.update(())
    return channel, call


@pytest.mark.parametrize("channel_to", [plain, multiplexed])
@pytest.mark.parametrize("turns", range(6))
async def test_calls_at_an_instance_that_has_just_gone_end_with_the_channel(
    turns: int, channel_to: Any
) -> None:
    hang = Hang()
    async with served(quotas(get_status=hang)) as up:
        before = streams()
        channel, call = await left(channel_to, up.port, hang, 2 * PATIENCE)
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await channel.close()
            with pytest.raises(AppError) as ended:
                await call
        assert ended.value.reason == REASON_UNAVAILABLE
        await until(lambda: streams() == before)


@pytest.mark.parametrize("channel_to", [plain, multiplexed])
async def test_a_call_without_a_deadline_at_an_instance_that_has_gone_ends_in_the_end(
    channel_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (balanced_channel, link):
        monkeypatch.setattr(module, "RETIRE_SECONDS", 0.0)
    hang = Hang()
    async with served(quotas(get_status=hang)) as up:
        channel, call = await left(channel_to, up.port, hang, math.inf)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(AppError) as ended:
                await call
        assert ended.value.reason == REASON_UNAVAILABLE
        await channel.close()


@pytest.mark.parametrize("channel_to", [plain, multiplexed])
async def test_a_call_at_an_instance_that_has_gone_has_until_its_own_deadline(
    channel_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (balanced_channel, link):
        monkeypatch.setattr(module, "RETIRE_SECONDS", 0.0)
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(_request: Any, _call: Any) -> Any:
        begun.set()
        await finish.wait()
        return STATUS.response(version="slow")

    async with served(quotas(get_status=slow)) as up, served(quotas()) as other:
        instances = Instances([f"127.0.0.1:{up.port}"])
        channel: Channel = channel_to(instances)
        await streaming(channel, 1)
        call = asyncio.ensure_future(channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
        await begun.wait()
        instances.update([f"127.0.0.1:{other.port}"])
        await streaming(channel, 1)
        # The former stream, or connection, would have ended by the end of this one's opening.
        await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        finish.set()
        assert (await call).version == "slow"
        await channel.close()


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
