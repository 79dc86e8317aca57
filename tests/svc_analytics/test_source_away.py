"""Without its source of events the service starts, is read, and stops in time."""

import asyncio
import time
from pathlib import Path

import pytest

from mesh.errors import AppError
from mesh.settings import Live
from svc_analytics.settings import AnalyticsSettings
from svc_analytics.stores import SOURCES
from svc_analytics.wiring import SERVICE
from svc_auth.settings import AuthSettings
from svc_auth.wiring import SERVICE as AUTH
from tests.ports import free_ports
from tests.wired import wired

pytestmark = pytest.mark.anyio
SOON, LATER = 30.0, 300.0
# What is waited for while Kafka is away, or when a client of it is closed.
WAITS = (
    "mesh.storage.kafka_publisher.REQUEST_SECONDS",
    "svc_analytics.stores.source_kafka.REQUEST_SECONDS",
    "svc_analytics.stores.source_kafka._CLOSE_SECONDS",
    "svc_analytics.workers.usage_lag.INTERVAL_SECONDS",
)


async def test_reads_do_not_need_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait in WAITS:
        monkeypatch.setattr(wait, LATER)
    (port,) = free_ports(1)
    data = {"LEAKY_DATA": str(tmp_path)}
    env = {**data, "LEAKY_ANALYTICS_USAGE_SOURCE": f"kafka://127.0.0.1:{port}"}
    async with wired(AUTH, Live.read(AuthSettings, data), others={}, work=True) as auth:
        others = {"auth": auth.channel}
        settings = Live.read(AnalyticsSettings, env)
        async with (
            wired(SERVICE, settings, others=others, work=True) as analytics,
            analytics.client(8083) as client,
        ):
            for check in analytics.parts.ready.values():
                await check()
            answer = await client.get("/api/v1/analytics/usage?provider=openai")
            assert (answer.status_code, answer.json()["count"]) == (200, 0)
            begun = time.monotonic()
    assert time.monotonic() - begun < SOON


async def test_how_far_behind_it_is_is_unknown_while_the_source_was_never_there() -> None:
    (port,) = free_ports(1)
    async with SOURCES.open(f"kafka://127.0.0.1:{port}", topic="t", group="g") as source:
        assert source is not None
        with pytest.raises(AppError, match="Kafka is not available"):
            await source.lag()


@pytest.mark.parametrize("url", ["kafka://", "kafka://somebody:hunter2@one", "pulsar://one"])
async def test_an_address_that_is_none_keeps_the_service_from_starting(url: str) -> None:
    async with asyncio.timeout(SOON):
        with pytest.raises(ValueError, match="kafka://") as refusal:
            async with SOURCES.open(url, topic="t", group="g"):
                pass
    assert "hunter2" not in str(refusal.value)
