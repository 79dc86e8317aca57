"""Instances as processes, and a Consul of the test's own that is stopped, emptied and started."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.consul import client as consul_client
from mesh.discovery.instances import Instances
from mesh.discovery.registry import found
from mesh.errors import AppError
from mesh.rpc.balanced_channel import BalancedChannel
from mesh.rpc.channel import Channel
from mesh.rpc.channels import Channels
from mesh.settings import Live, MeshSettings
from tests.full.consul.instance import Instance
from tests.mesh.discovery.waiting import until, until_told
from tests.mesh.rpc.load import Load, under_load
from tests.mesh.rpc.serving import STATUS
from tests.parts.native import NativePart, native_part
from tests.parts.urls import CONSUL, url
from tests.ports import free_port

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(CONSUL), reason="needs Consul"),
]
START_SECONDS = 60.0


@pytest.fixture(scope="module")
def agent() -> Iterator[NativePart]:
    with native_part("consul") as part:
        part.start()
        yield part


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Two instances of a service, and how a caller finds them."""

    agent: NativePart
    folder: Path
    env: dict[str, str]
    instances: tuple[Instance, Instance]

    @property
    def settings(self) -> Live[MeshSettings]:
        return Live.read(MeshSettings, {**self.env, "LEAKY_DATA": str(self.folder / "caller")})

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(sorted(one.address for one in self.instances))

    async def states(self) -> dict[str, str]:
        """Each instance's own check, as Consul has it."""
        async with consul_client.opened(self.settings.current, "gateway") as client:
            _, nodes = await client.health.service("auth")
        return {
            check["ServiceID"]: check["Status"]
            for node in nodes
            for check in node["Checks"]
            if check["ServiceID"]
        }

    async def becomes(self, instance: Instance, wanted: str | None) -> None:
        async def so() -> bool:
            return (await self.states()).get(instance.id) == wanted

        await until_told(so, START_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls the instances that it knows."""

    known: Instances
    channel: Channel


@asynccontextmanager
async def calling(town: Town) -> AsyncIterator[Caller]:
    settings = town.settings
    async with found(settings, "gateway") as registry:
        channels = Channels(settings, registry.discovery)
        try:
            known = registry.discovery.instances("auth")
            yield Caller(known=known, channel=channels.to("auth"))
        finally:
            await channels.close()


@pytest.fixture
def token(agent: NativePart) -> str:
    return Path(agent.variables["PARTS_CONSUL_TOKEN_FILE"]).read_text()


@pytest.fixture
async def town(agent: NativePart, token: str, tmp_path: Path) -> AsyncIterator[Town]:
    env = {
        "LEAKY_REGISTRY": agent.url,
        "LEAKY_AUTH_CONSUL_TOKEN": token,
        "LEAKY_GATEWAY_CONSUL_TOKEN": token,
    }
    one, two = (Instance(data=tmp_path / name, port=free_port(), env=env) for name in ("1", "2"))
    town = Town(agent=agent, folder=tmp_path, env=env, instances=(one, two))
    try:
        for instance in town.instances:
            instance.start()
        for instance in town.instances:
            await town.becomes(instance, "passing")
        yield town
    finally:
        agent.start()
        for instance in town.instances:
            instance.drain()


@asynccontextmanager
async def loaded(town: Town) -> AsyncIterator[tuple[Caller, Load]]:
    """Both instances answer calls."""
    async with calling(town) as caller:
        await until(lambda: caller.known.current == town.addresses)
        async with under_load(caller.channel) as load:
            for instance in town.instances:
                await load.answers_of(instance.address, since=0)
            yield caller, load


async def test_an_instance_that_drains_loses_no_call(town: Town) -> None:
    leaves = town.instances[1]
    async with loaded(town) as (caller, load):
        leaves.ask_to_drain()
        await until(lambda: caller.known.current == (town.instances[0].address,))
        assert await asyncio.to_thread(leaves.drain) == 0
        assert leaves.id not in await town.states()
        await load.goes_on(200)
    assert load.failed == []


async def test_an_instance_that_dies_is_critical_and_comes_back_by_itself(town: Town) -> None:
    victim = town.instances[1]
    async with loaded(town) as (caller, load):
        victim.kill()
        await load.goes_on(200)
        await town.becomes(victim, "critical")
        await until(lambda: caller.known.current == (town.instances[0].address,))
        await load.goes_on(200)
        victim.start()
        await town.becomes(victim, "passing")
        back = asyncio.get_running_loop().time()
        await load.answers_of(victim.address, since=back)
        await load.goes_on(200)
    # GetStatus may be retried, and there was another instance at all times.
    assert load.failed == []


async def test_nothing_ends_while_consul_is_away_and_what_it_lost_is_told_again(town: Town) -> None:
    async with loaded(town) as (caller, load):
        town.agent.kill()
        await load.goes_on(500)
        assert caller.known.current == town.addresses
        # A caller that starts now finds whom the others know.
        async with calling(town) as late:
            assert late.known.current == town.addresses
            assert await late.channel.unary(STATUS, STATUS.request())
        empty(town.agent)
        await asyncio.to_thread(town.agent.start)
        for instance in town.instances:
            await town.becomes(instance, "passing")
        await load.goes_on(200)
        assert caller.known.current == town.addresses
    assert load.failed == []
    for instance in town.instances:
        outages = [line for line in instance.said if "Consul does not answer" in line]
        assert len(outages) == 1


def empty(agent: NativePart) -> None:
    """The agent forgets all but its token."""
    shutil.rmtree(agent.folder / "consul" / "data")


async def test_a_service_starts_without_consul_and_registers_when_it_is_there(town: Town) -> None:
    late = town.instances[1]
    late.drain()
    await asyncio.to_thread(town.agent.stop)
    late.start()
    await until(lambda: any('"serving"' in line for line in late.said), START_SECONDS)
    channel = BalancedChannel(Instances([late.address]))
    assert await channel.unary(STATUS, STATUS.request(), timeout=5.0)
    await channel.close()
    await asyncio.to_thread(town.agent.start)
    await town.becomes(late, "passing")


async def test_without_any_instance_a_call_is_refused_at_once(town: Town) -> None:
    for instance in town.instances:
        instance.drain()
    async with calling(town) as caller:
        await caller.known.known()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(AppError, match="service unavailable") as refused:
            await caller.channel.unary(STATUS, STATUS.request())
        assert refused.value.reason == REASON_UNAVAILABLE
        assert loop.time() - begun < 1
