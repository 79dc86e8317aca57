"""What every discovery promises, over settings and over Consul."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesh.discovery import consul
from mesh.discovery.registry import Found, found
from mesh.rpc.channels import Channels
from mesh.settings import Live, MeshSettings
from tests.mesh.discovery.waiting import SOON_SECONDS, until
from tests.mesh.rpc.serving import STATUS, quotas, served
from tests.parts.consul import corner
from tests.parts.urls import CONSUL, backends

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A served svc_token, and how it and its callers find each other."""

    settings: Live[MeshSettings]
    found: Found
    address: str


@asynccontextmanager
async def static(data: Path, port: int) -> AsyncIterator[Meeting]:
    env = {"LEAKY_DATA": str(data), "LEAKY_TOKEN_GRPC_PORT": str(port)}
    settings = Live.read(MeshSettings, env)
    async with found(settings, "token") as registry:
        yield Meeting(settings=settings, found=registry, address=f"127.0.0.1:{port}")


@asynccontextmanager
async def in_consul(data: Path, port: int) -> AsyncIterator[Meeting]:
    async with corner() as here:
        settings = here.settings(data, LEAKY_TOKEN_GRPC_PORT=str(port))
        url = settings.current.registry
        async with consul.opened(
            url, settings=settings, service="token", prefix=here.prefix
        ) as registry:
            yield Meeting(settings=settings, found=registry, address=f"127.0.0.1:{port}")


@pytest.fixture(params=backends("static", consul=CONSUL))
async def meeting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Meeting]:
    meet = {"static": static, "consul": in_consul}[request.param]
    async with served(quotas()) as up, meet(tmp_path, up.port) as met:
        yield met


async def test_a_service_that_serves_is_found_and_called(meeting: Meeting) -> None:
    instances = meeting.found.discovery.instances("token")
    channels = Channels(meeting.settings, meeting.found.discovery)
    async with meeting.found.registration.announced() as announced:
        announced.serving()
        await until(lambda: instances.current == (meeting.address,))
        channel = channels.to("token")
        assert await channel.unary(STATUS, STATUS.request()) == STATUS.response()
    await channels.close()


async def test_a_first_answer_is_not_long_in_coming(meeting: Meeting) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        await meeting.found.discovery.instances("token").known()


async def test_a_service_has_one_set_of_instances_for_all(meeting: Meeting) -> None:
    discovery = meeting.found.discovery
    assert discovery.instances("token") is discovery.instances("token")
    assert discovery.instances("token") is not discovery.instances("auth")


async def test_a_service_that_nobody_knows_is_a_bug(meeting: Meeting) -> None:
    with pytest.raises(AttributeError):
        meeting.found.discovery.instances("nobody")
