"""Several gateways on one port, on embedded stores: limits are as exact as one gateway's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from mesh.cli.state import read_state
from tests.e2e.system import System
from tests.exposed import total

pytestmark = pytest.mark.e2e
CAPACITY, ASKED = 60, 200
PATH = "/api/v1/auth/health"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    data = tmp_path_factory.mktemp("workers") / "data"
    settings = {
        "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": str(CAPACITY),
        # Longer than the test, and than it may take to come by a window's end.
        "LEAKY_GATEWAY_RATE_LIMIT_WINDOW": "365d",
        # What is let through is answered, on a busy machine, too.
        "LEAKY_DEADLINES_EDGE": "20s",
        "LEAKY_DEADLINES_MESH": "20s",
    }
    with System(data, settings, workers=2).up() as up:
        yield up


def served(system: System) -> list[float]:
    """How many of the path's requests each gateway has had, by the port of its own."""
    found = []
    for each in read_state(system.data):
        own = each.endpoint.own_http
        if own is not None:
            text = httpx.get(f"http://127.0.0.1:{own.number}/metrics", timeout=20).text
            found.append(total(text, "http_server_requests_seconds_count", uri=PATH))
    return found


def ask(url: str) -> int:
    # A connection each: the kernel gives connections, not requests, to the processes.
    return httpx.get(url, timeout=30).status_code


def test_two_gateways_together_let_no_more_through_than_one(system: System) -> None:
    assert {"gateway", "gateway.2"} <= system.pids().keys()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, [system.url() + PATH] * ASKED))
    # 503 is for who waited too long for the other gateway's lock: not counted, not let through.
    assert set(answers) <= {200, 429, 503}
    assert answers.count(200) == CAPACITY
    each = served(system)
    assert (len(each), sum(each)) == (2, ASKED)
    assert min(each) > 0
