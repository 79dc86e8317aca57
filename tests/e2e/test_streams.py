"""Services call each other over one stream, in either profile, as is shipped."""

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.system import System
from tests.exposed import total

pytestmark = pytest.mark.e2e
STATUS = "/api/v1/tokens/status"
CALLS = 20


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


def told(http: httpx.Client, system: System, name: str) -> float:
    return total(http.get(f"{system.url('gateway')}/metrics").text, name, side="client")


@pytest.mark.parametrize("profile", ["local", "secure"])
def test_what_the_edge_asks_goes_over_a_stream(
    http: httpx.Client, request: pytest.FixtureRequest, profile: str
) -> None:
    system: System = request.getfixturevalue(profile)
    assert http.get(system.url() + STATUS).status_code == 200
    assert told(http, system, "mux_streams") >= 1
    before = told(http, system, "mux_frames_total")
    for _ in range(CALLS):
        assert http.get(system.url() + STATUS).status_code == 200
    assert told(http, system, "mux_frames_total") >= before + CALLS
