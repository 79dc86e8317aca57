from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.discovery.static import StaticDiscovery
from mesh.errors import AppError
from mesh.rpc.channels import Channels
from mesh.settings import Live, MeshSettings
from tests.mesh.discovery.waiting import until
from tests.mesh.rpc.serving import STATUS, quotas, served

pytestmark = pytest.mark.anyio


def settings(data: Path, env: Mapping[str, str] | None = None, **ports: int) -> Live[MeshSettings]:
    told = {f"LEAKY_{name.upper()}_GRPC_PORT": str(port) for name, port in ports.items()}
    return Live.read(MeshSettings, {"LEAKY_DATA": str(data), **told, **(env or {})})


def shown(name: str, side: str) -> float:
    return REGISTRY.get_sample_value(name, {"side": side}) or 0.0


def channels_of(settings: Live[MeshSettings]) -> Channels:
    return Channels(settings, StaticDiscovery(settings))


async def test_a_service_is_found_by_its_name_over_one_channel(tmp_path: Path) -> None:
    async with served(quotas()) as up:
        channels = channels_of(settings(tmp_path, token=up.port))
        assert channels.to("token") is channels.to("token")
        assert await channels.to("token").unary(STATUS, STATUS.request()) == STATUS.response()
        await channels.close()
        with pytest.raises(AppError) as closed:
            await channels.to("token").unary(STATUS, STATUS.request())
    assert closed.value.reason == REASON_UNAVAILABLE


@pytest.mark.parametrize(("multiplex", "more"), [("true", 1), ("false", 0)])
async def test_calls_go_over_a_stream_unless_the_settings_say_each_by_itself(
    tmp_path: Path, multiplex: str, more: int
) -> None:
    async with served(quotas()) as up:
        before = shown("mux_streams", "client")
        way = {"LEAKY_MESH_MULTIPLEX": multiplex}
        channels = channels_of(settings(tmp_path, way, token=up.port))
        channel = channels.to("token")
        assert await channel.unary(STATUS, STATUS.request()) == STATUS.response()
        await until(lambda: shown("mux_streams", "client") >= before + more)
        frames = shown("mux_frames_total", "client")
        assert await channel.unary(STATUS, STATUS.request()) == STATUS.response()
        assert shown("mux_frames_total", "client") == frames + more
        await channels.close()


async def test_a_service_that_nobody_knows_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        channels_of(settings(tmp_path)).to("nobody")
