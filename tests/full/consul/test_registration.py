"""An instance and the shared Consul, under names of the test's own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mesh.discovery.consul import opened
from mesh.discovery.registry import Found
from mesh.rpc.channels import Channels
from tests.mesh.discovery.waiting import until, until_told
from tests.mesh.rpc.load import under_load
from tests.mesh.rpc.serving import Served, quotas, served
from tests.parts.consul import Corner, corner
from tests.parts.urls import CONSUL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(CONSUL), reason="needs Consul"),
]
NO_TOKEN = "00000000-0000-0000-0000-000000000001"
PASSING, CRITICAL = ["passing"], ["critical"]


@pytest.fixture
async def here() -> AsyncIterator[Corner]:
    async with corner() as made:
        yield made


async def states(here: Corner) -> list[str]:
    """The state of each instance's own check."""
    return [
        check["Status"]
        for node in await here.instances("token")
        for check in node["Checks"]
        if check["ServiceID"]
    ]


async def becomes(here: Corner, wanted: list[str]) -> None:
    async def so() -> bool:
        return await states(here) == wanted

    await until_told(so)


@asynccontextmanager
async def finding(here: Corner, data: Path, up: Served) -> AsyncIterator[Found]:
    settings = here.settings(data, LEAKY_TOKEN_GRPC_PORT=str(up.port))
    arguments: Any = {"settings": settings, "service": "token", "prefix": here.prefix}
    async with opened(here.registry, **arguments) as found:
        yield found


async def test_an_instance_is_critical_until_it_serves(here: Corner, tmp_path: Path) -> None:
    async with served(quotas()) as up, finding(here, tmp_path, up) as found:
        await up.server.serving(ready=False)
        async with found.registration.announced() as announced:
            await becomes(here, CRITICAL)
            await up.server.serving(ready=True)
            announced.serving()
            await becomes(here, PASSING)
            (node,) = await here.instances("token")
        assert node["Service"]["ID"] == f"{here.prefix}token-127.0.0.1-{up.port}"
        assert node["Service"]["Port"] == up.port
        assert node["Service"]["Meta"]["version"]
        assert await here.instances("token") == []


@asynccontextmanager
async def announced(here: Corner, data: Path, up: Served) -> AsyncIterator[None]:
    async with finding(here, data, up) as found, found.registration.announced() as instance:
        instance.serving()
        await becomes(here, PASSING)
        yield


async def test_consuls_own_check_sees_what_happens_to_an_instance(
    here: Corner, tmp_path: Path
) -> None:
    async with served(quotas()) as up, announced(here, tmp_path, up):
        await up.server.serving(ready=False)
        await becomes(here, CRITICAL)
        await up.server.serving(ready=True)
        await becomes(here, PASSING)


async def test_a_registration_that_consul_has_lost_is_made_again(
    here: Corner, tmp_path: Path
) -> None:
    async with served(quotas()) as up, announced(here, tmp_path, up):
        (node,) = await here.instances("token")
        await here.client.agent.service.deregister(node["Service"]["ID"])
        assert await here.instances("token") == []
        await becomes(here, PASSING)


async def test_no_call_is_lost_when_an_instance_drains_under_load(
    here: Corner, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        ups = [await stack.enter_async_context(served(quotas())) for _ in range(2)]
        founds = [await stack.enter_async_context(finding(here, tmp_path, up)) for up in ups]
        leaving = await stack.enter_async_context(AsyncExitStack())
        for place, found in zip((stack, leaving), founds, strict=True):
            instance = await place.enter_async_context(found.registration.announced())
            instance.serving()
        instances = founds[0].discovery.instances("token")
        await until(lambda: len(instances.current) == 2)
        channels = Channels(here.settings(tmp_path), founds[0].discovery)
        async with under_load(channels.to("token")) as load:
            await load.goes_on(200)
            await ups[1].server.serving(ready=False)
            await leaving.aclose()
            assert instances.current == (f"127.0.0.1:{ups[0].port}",)
            await ups[1].server.stop(5.0)
            await load.goes_on(200)
        assert load.failed == []
        await channels.close()


async def test_a_token_that_may_nothing_ends_nothing(here: Corner, tmp_path: Path) -> None:
    refused = replace(here, token=NO_TOKEN)
    with capture_logs() as logs:
        async with served(quotas()) as up, finding(refused, tmp_path, up) as found:
            async with found.registration.announced() as instance:
                instance.serving()
                instances = found.discovery.instances("token")
                await instances.known()
                await until(lambda: len(logs) > 0)
            assert instances.current == ()
    assert await here.instances("token") == []
    assert logs[0]["log_level"] == "warning"
    assert NO_TOKEN not in str(logs)
