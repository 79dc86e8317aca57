from pathlib import Path

import pytest

from mesh.discovery.static import StaticDiscovery
from mesh.settings import Live, MeshSettings


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("127.0.0.1", "127.0.0.1:9999"),
        ("192.0.2.1", "192.0.2.1:9999"),
        ("::1", "[::1]:9999"),
        ("0.0.0.0", "127.0.0.1:9999"),  # noqa: S104 compared, not bound
        ("::", "127.0.0.1:9999"),
    ],
)
def test_a_service_is_where_its_settings_say(tmp_path: Path, host: str, target: str) -> None:
    env = {
        "LEAKY_DATA": str(tmp_path),
        "LEAKY_TOKEN_GRPC_PORT": "9999",
        "LEAKY_BIND_ADDRESS": host,
    }
    instances = StaticDiscovery(Live.read(MeshSettings, env)).instances("token")
    assert instances.is_known
    assert instances.current == (target,)
