"""What Consul's UI shows of the system, by the answers that it draws."""

import httpx
import pytest

from mesh.cli.services import NAMES
from tests.e2e import real
from tests.e2e.parts.whole import Whole, needs_all
from tests.e2e.system import until

pytestmark = [needs_all, pytest.mark.e2e]
_MORE = dict(one.split("=") for one in real.INSTANCES)
INSTANCES = {name: int(_MORE.get(name, 1)) for name in NAMES}


def test_the_ui_is_there(whole: Whole) -> None:
    url = whole.corner.env["LEAKY_REGISTRY"].replace("consul://", "http://")
    page = httpx.get(f"{url}/ui/", follow_redirects=True)
    assert page.status_code == 200
    assert "Consul" in page.text


def test_it_shows_every_service_with_its_instances_and_checks(whole: Whole) -> None:
    def shown() -> dict[str, tuple[int, int]]:
        rows = whole.consul("internal/ui/services")
        return {row["Name"]: (row["InstanceCount"], row["ChecksCritical"]) for row in rows}

    expected = {name: (count, 0) for name, count in INSTANCES.items()}
    until(lambda: shown().items() >= expected.items(), 20)
    for entry in whole.consul("health/service/token"):
        assert entry["Service"]["Meta"]["version"]
        assert any(
            "gRPC" in check["Output"] or check["Type"] == "grpc" for check in entry["Checks"]
        )
