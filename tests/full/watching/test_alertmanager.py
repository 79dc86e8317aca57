"""A real Alertmanager tells the right one, once, and not of what follows from something worse."""

from collections.abc import Iterator

import httpx
import pytest

from tests.compose.rules import alerts
from tests.e2e.system import until
from tests.parts.native import private_folder
from tests.parts.urls import POSTGRESQL, url
from tests.parts.watching import Told, alertmanager

pytestmark = pytest.mark.skipif(not url(POSTGRESQL), reason="no real parts here")


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    with Told().listening() as listening:
        yield listening


@pytest.fixture(scope="module")
def http(told: Told) -> Iterator[httpx.Client]:
    with private_folder() as folder, alertmanager(folder, told) as part:
        base = f"{part.variables['PARTS_ALERTMANAGER']}/api/v2"
        with httpx.Client(base_url=base, timeout=10) as client:
            yield client


def raised(name: str, **labels: str) -> dict[str, dict[str, str]]:
    """As Prometheus would tell of it."""
    return {"labels": {"alertname": name, **alerts()[name]["labels"], **labels}}


def inhibited(http: httpx.Client) -> set[str]:
    listed = http.get("/alerts").raise_for_status().json()
    return {one["labels"]["alertname"] for one in listed if one["status"]["inhibitedBy"]}


def test_each_is_told_of_its_own_and_nobody_of_what_a_service_that_is_down_brings(
    http: httpx.Client, told: Told
) -> None:
    down = [
        raised("ServiceDown", service="token"),
        raised("InstanceDown", service="token", instance="token-1"),
        raised("HighTokenServiceLatencyP95"),
        raised("HighLatencyP99", service="token"),
        raised("HighLatencyP99", service="auth"),
        raised("LowTokenQuota", provider="openai"),
        raised("Overspend"),
    ]
    http.post("/alerts", json=down).raise_for_status()
    until(lambda: told.alerts("critical") >= {"ServiceDown", "Overspend"}, 20)
    until(lambda: "LowTokenQuota" in told.alerts("info"), 20)
    until(lambda: "HighLatencyP99" in told.alerts("warning"), 20)
    assert inhibited(http) == {"InstanceDown", "HighTokenServiceLatencyP95", "HighLatencyP99"}
    assert told.alerts("critical") == {"ServiceDown", "Overspend"}
    assert told.alerts("warning") == {"HighLatencyP99"}
    assert told.services("warning") == {"auth"}
    assert told.alerts("info") == {"LowTokenQuota"}
