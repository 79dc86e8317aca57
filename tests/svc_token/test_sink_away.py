"""Without its sink the service starts, serves, and keeps what it has to tell."""

import asyncio
from pathlib import Path

import pytest

from svc_token.workers.outbox_lag import DEPTH
from tests.ports import free_ports
from tests.svc_token.town import SPEND, quota, town

pytestmark = pytest.mark.anyio


async def test_consumes_go_on_while_kafka_is_away(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with town(tmp_path, LEAKY_TOKEN_USAGE_SINK=f"kafka://127.0.0.1:{port}") as built:
        client = await built.client()
        for _ in range(3):
            answer = await client.post("/api/v1/tokens/consume", json=SPEND)
            assert answer.status_code == 200, answer.text
        assert await quota(client) == (100_000, 100_000 - 3 * 40)
        async with asyncio.timeout(30):
            while DEPTH._value.get() != 3:  # noqa: ASYNC110 measured by the service's own loop
                await asyncio.sleep(0.05)
