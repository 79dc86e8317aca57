"""Requests that cannot be counted: no Redis listens at the address given."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_gateway.domain.limit import Limit
from svc_gateway.ports import Windows
from svc_gateway.stores import WINDOWS
from svc_gateway.usecases.limit_request import LimitRequest
from tests.ports import free_port
from tests.svc_gateway.conftest import HandClock

pytestmark = pytest.mark.anyio
LIMIT = Limit(name="default", capacity=3, window_us=1_000_000)


@pytest.fixture
async def away() -> AsyncIterator[Windows]:
    async with WINDOWS.open(f"redis://127.0.0.1:{free_port()}/0", secret="s" * 16) as windows:
        yield windows


def limiter(windows: Windows, clock: HandClock, *, fail_open: bool) -> LimitRequest:
    return LimitRequest(
        windows=windows,
        limit_of=lambda path: None if path == "/free" else LIMIT,
        fail_open=lambda: fail_open,
        clock=clock,
    )


def decided(decision: str) -> float:
    labels = {"store": "windows", "decision": decision}
    return REGISTRY.get_sample_value("rate_limit_store_away_total", labels) or 0.0


async def test_closed_what_is_limited_is_refused_and_the_rest_goes_on(
    away: Windows, clock: HandClock
) -> None:
    limit, before = limiter(away, clock, fail_open=False), decided("refused")
    with pytest.raises(AppError) as refused:
        await limit("/limited", "ip:192.0.2.1")
    assert (refused.value.reason, refused.value.retry_after) == (REASON_UNAVAILABLE, 1)
    # None of the services behind the edge is to blame.
    assert refused.value.away == "gateway"
    assert await limit("/free", "ip:192.0.2.1") is None
    assert decided("refused") == before + 1


async def test_open_everything_passes_without_a_verdict(away: Windows, clock: HandClock) -> None:
    limit, before = limiter(away, clock, fail_open=True), decided("passed")
    assert [await limit("/limited", "ip:192.0.2.1") for _ in range(5)] == [None] * 5
    assert decided("passed") == before + 5
