from pathlib import Path

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.discovery.static import StaticDiscovery
from mesh.errors import AppError
from mesh.rpc.channels import Channels
from mesh.settings import Live, MeshSettings
from tests.mesh.rpc.serving import STATUS, quotas, served

pytestmark = pytest.mark.anyio


def settings(data: Path, **ports: int) -> Live[MeshSettings]:
    env = {f"LEAKY_{name.upper()}_GRPC_PORT": str(port) for name, port in ports.items()}
    return Live.read(MeshSettings, {"LEAKY_DATA": str(data), **env})


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


async def test_a_service_that_nobody_knows_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        channels_of(settings(tmp_path)).to("nobody")
