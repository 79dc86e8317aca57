"""What the edge counts of keys, windows and fallbacks."""

from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.identity.refusals import unavailable
from svc_gateway.metrics import count_lookup
from tests.svc_gateway.conftest import HandClock
from tests.svc_gateway.edge.test_admission import LOGIN, Edge, edge_with
from tests.svc_gateway.edge.test_fallback import CHAT, QUOTA, said

pytestmark = pytest.mark.anyio
Counts = dict[str, float]


def counts(metric: str, label: str = "outcome") -> Counts:
    """The samples of a metric with one label, by its value."""
    return {
        sample.labels[label]: sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == metric
    }


def since(before: Counts, metric: str, label: str = "outcome") -> Counts:
    after = counts(metric, label)
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


@pytest.fixture
def edge(tmp_path: Path, clock: HandClock) -> Edge:
    return edge_with(tmp_path, clock, LEAKY_GATEWAY_RATE_LIMIT_CAPACITY="3")


KEYS = "gateway_api_key_validation_total"
WINDOWS = "gateway_rate_limit_total"
FALLBACKS = "gateway_fallback_total"
CACHE = "gateway_api_key_cache_total"


async def test_a_key_that_is_presented_is_counted_by_what_it_turned_out_to_be(edge: Edge) -> None:
    before = counts(KEYS)
    assert set(before) == {"valid", "invalid", "unavailable"}
    await edge.ask({"x-api-key": "key-1"})
    with pytest.raises(AppError):
        await edge.ask({"x-api-key": "made up"})
    edge.known.away = True
    for _ in range(2):
        with pytest.raises(AppError):
            await edge.ask({"x-api-key": "key-2"}, address="192.0.2.7")
    assert since(before, KEYS) == {"valid": 1, "invalid": 1, "unavailable": 2}


async def test_what_is_no_key_or_is_not_looked_at_is_not_counted(edge: Edge) -> None:
    before = counts(KEYS)
    await edge.ask()
    await edge.ask({"authorization": "Bearer a", "x-api-key": "made up"})
    await edge.ask({"x-api-key": "made up"}, rpc=LOGIN)
    edge.settings.apply({"feature.flags.gateway.api-key-validation": "false"})
    await edge.ask({"x-api-key": "made up"}, address="192.0.2.8")
    assert since(before, KEYS) == {}


async def test_requests_are_counted_by_whether_their_window_lets_them_in(edge: Edge) -> None:
    before = counts(WINDOWS)
    for _ in range(3):
        await edge.ask()
    for _ in range(2):
        with pytest.raises(AppError, match="rate limit"):
            await edge.ask()
    assert since(before, WINDOWS) == {"allowed": 3, "blocked": 2}
    await edge.ask(path="/actuator/health")
    assert since(before, WINDOWS) == {"allowed": 3, "blocked": 2}


async def test_a_fallback_is_counted_for_the_service_that_is_away() -> None:
    before = counts(FALLBACKS, "service")
    assert set(before) == {"auth", "token", "analytics", "stubs", "unknown"}
    said(QUOTA, "/api/v1/tokens/quota")
    said(QUOTA, "/api/v1/tokens/quota", unavailable())
    said(CHAT, "/api/v1/gemini/chat")
    said(QUOTA, "/api/v1/tokens/quota", AppError(REASON_UNAVAILABLE, "no window", away="gateway"))
    said(QUOTA, "/api/v1/tokens/quota", AppError(REASON_UNAVAILABLE, "gone", away="a stranger"))
    assert since(before, FALLBACKS, "service") == {"token": 1, "auth": 1, "stubs": 1, "unknown": 1}


async def test_a_lookup_is_a_hit_or_a_miss() -> None:
    before = counts(CACHE)
    for known in (True, False, True):
        count_lookup(known=known)
    assert since(before, CACHE) == {"hit": 2, "miss": 1}
