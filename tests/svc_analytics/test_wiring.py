"""The service as it is put together, seen over HTTP on its own port."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mesh.clock import Clock, RandomIds
from mesh.identity.identity import Identity
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.service import Context, Parts
from mesh.settings import Live
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.settings import AnalyticsSettings
from svc_analytics.stores import STORES
from svc_analytics.wiring import SERVICE

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]
ALICE = "aaaaaaaa-0000-4000-8000-000000000000"
STAMP = "2023-11-14T22:13:20.123456Z"
# The window ends with the microsecond after now, so that now is inside.
END = "2023-11-14T22:13:20.123457Z"
START = "2023-11-14T21:13:20.123457Z"


@asynccontextmanager
async def built(data: Path, clock: Clock) -> AsyncIterator[Parts]:
    settings = Live.read(AnalyticsSettings, {"LEAKY_DATA": str(data)})
    dispatcher = Dispatcher([map_errors, ValidationInterceptor()])
    local = LocalChannel(dispatcher)
    context = Context(
        name="analytics",
        settings=settings,
        clock=clock,
        ids=RandomIds(),
        channel=lambda _name: local,
        local=local,
        dispatcher=dispatcher,
        identity=Identity(settings=settings, auth_channel=local, clock=clock),
    )
    async with SERVICE.build(context) as parts:
        for servicer in parts.servicers:
            dispatcher.add(servicer)
        yield parts


@pytest.fixture
async def http(tmp_path: Path, clock: Clock, make_event: Make) -> AsyncIterator[httpx.AsyncClient]:
    events = [
        make_event(user_id=ALICE, tokens=6),
        make_event(user_id=ALICE, tokens=9, allowed=False, at_us=clock.now_us() - 1),
    ]
    async with built(tmp_path, clock) as parts:
        async with STORES.open(AnalyticsSettings(data=tmp_path).store_url) as store:
            await store.append(events)
        transport = httpx.ASGITransport(app=parts.http[8083])
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            yield client


ANSWERS: dict[str, Any] = {
    "health": {"service": "analytics-service", "status": "ok", "timestamp": STAMP},
    "usage?provider=openai&limit=1": {
        "provider": "openai",
        "count": 1,
        "items": [
            {
                "key": {"provider": "openai", "timestamp": STAMP},
                "userId": ALICE,
                "tokens": 6,
                "allowed": True,
            }
        ],
    },
    "report?provider=openai&limit=99999": {
        "provider": "openai",
        "windowStart": START,
        "windowEnd": END,
        "totalEvents": 2,
        "allowedEvents": 1,
        "deniedEvents": 1,
        "totalTokens": 6,
        "averageTokens": 6,
        "uniqueUsers": 1,
        "sampleLimit": 5000,
        "topUsers": [{"userId": ALICE, "totalTokens": 6, "events": 2}],
    },
    "anomalies?provider=openai&thresholdMultiplier=0.1&baselineWindows=99": {
        "provider": "openai",
        "currentWindowStart": START,
        "currentWindowEnd": END,
        "baselineWindows": 24,
        "currentTokens": 6,
        "baselineAverage": 0,
        "ratio": None,
        "threshold": 1,
        "anomaly": False,
        "sampleLimit": 1000,
    },
    "providers?windowMinutes=60": {
        "windowStart": START,
        "windowEnd": END,
        "items": [
            {
                "provider": "openai",
                "totalTokens": 6,
                "totalEvents": 2,
                "deniedEvents": 1,
                "share": 1,
            }
        ],
    },
    f"users/{ALICE}": {
        "userId": ALICE,
        "windowStart": START,
        "windowEnd": END,
        "totalTokens": 6,
        "totalEvents": 2,
        "deniedEvents": 1,
        "lastEventAt": STAMP,
        "providers": [{"provider": "openai", "totalTokens": 6, "events": 2}],
    },
    "trends?provider=openai&buckets=2": {
        "provider": "openai",
        "windowStart": START,
        "windowEnd": END,
        "bucketSeconds": 1800,
        "points": [
            {"start": START, "tokens": 0, "events": 0, "deniedEvents": 0},
            {
                "start": "2023-11-14T21:43:20.123457Z",
                "tokens": 6,
                "events": 2,
                "deniedEvents": 1,
            },
        ],
    },
}


@pytest.mark.parametrize("path", ANSWERS)
async def test_each_path_answers_as_documented(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"/api/v1/analytics/{path}")
    assert answer.status_code == 200
    assert answer.json() == ANSWERS[path]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("usage", "provider"),
        ("report?provider=", "provider"),
        ("report?provider=openai&windowMinutes=soon", "windowMinutes"),
        ("anomalies?provider=openai&thresholdMultiplier=NaN", "thresholdMultiplier"),
        ("anomalies?provider=openai&thresholdMultiplier=Infinity", "thresholdMultiplier"),
        ("anomalies?provider=openai&thresholdMultiplier=1e999", "thresholdMultiplier"),
        ("users/not-a-uuid", "userId"),
        ("trends?provider=openai&buckets=1.5", "buckets"),
    ],
)
async def test_what_makes_no_sense_is_400_and_named(
    http: httpx.AsyncClient, path: str, field: str
) -> None:
    answer = await http.get(f"/api/v1/analytics/{path}")
    assert answer.status_code == 400
    assert answer.json()["timestamp"] == STAMP
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_the_inner_way_in_is_not_served_over_http(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/v3/api-docs")).json()["paths"]
    assert {path for path in paths if path.startswith("/api/")} == {
        f"/api/v1/analytics/{name}"
        for name in (
            "health",
            "usage",
            "report",
            "anomalies",
            "providers",
            "users/{userId}",
            "trends",
        )
    }


async def test_it_is_ready_while_its_store_answers(tmp_path: Path, clock: Clock) -> None:
    async with built(tmp_path, clock) as parts:
        assert list(parts.ready) == ["store"]
        await parts.ready["store"]()
        assert len(parts.workers) == 1
