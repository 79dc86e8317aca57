"""svc_token as it is put together, over its REST port, with its buckets on Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.full.redis.conftest import until
from tests.parts.redis import OwnRedis, corner
from tests.parts.urls import REDIS, url
from tests.svc_token.conftest import USER
from tests.svc_token.town import BUY, SPEND, Town, completed, quota, refused, town

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(REDIS), reason="needs a Redis"),
]
STORE = "LEAKY_TOKEN_BUCKET_STORE"
# Nothing drains while a test runs.
STILL = {"LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND": "0.000001"}


@pytest.fixture
async def local(own: OwnRedis, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path / "data", **{STORE: own.url}, **STILL) as built:
        yield built


async def consume(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/api/v1/tokens/consume", json=SPEND)


async def used(client: httpx.AsyncClient) -> int:
    answer = await client.get(f"/api/v1/rate-limits/{USER}?provider=openai")
    assert answer.status_code == 200
    return int(answer.json()["used"])


async def test_two_services_fill_one_bucket(tmp_path: Path) -> None:
    with corner() as address:
        async with AsyncExitStack() as stack:
            towns = [
                await stack.enter_async_context(town(tmp_path / name, **{STORE: address}, **STILL))
                for name in ("one", "two")
            ]
            one, two = [await each.client() for each in towns]
            answers = await asyncio.gather(*(consume(client) for client in [one, two] * 15))
            # 25 times 40 fit into 1000.
            assert sorted(answer.status_code for answer in answers) == [200] * 25 + [429] * 5
            assert await used(one) == await used(two) == 1000
            assert (await quota(one))[1] + (await quota(two))[1] == 200_000 - 1000


async def test_closed_a_consume_is_503_and_all_else_goes_on(local: Town, own: OwnRedis) -> None:
    client = await local.client()
    assert (await consume(client)).status_code == 200
    await asyncio.to_thread(own.stop)
    for _ in range(10):
        answer = await consume(client)
        refused(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
    shown = await client.get(f"/api/v1/rate-limits/{USER}?provider=openai")
    refused(shown, 503, "UNAVAILABLE")
    assert await quota(client) == (100_000, 99_960)
    bought = await client.post("/api/v1/tokens/purchase", json=BUY)
    await completed(client, bought.json()["sagaId"])
    assert (await client.get("/actuator/health")).json()["status"] == "UP"
    await asyncio.to_thread(own.start)
    answer = await until(lambda: consume(client), lambda answer: answer.status_code == 200)
    # Redis kept nothing, so the bucket was empty.
    assert answer.json()["used"] == 40
    assert await quota(client) == (100_500, 100_420)
    async with asyncio.timeout(5):
        while len(local.analytics.events) < 2:  # noqa: ASYNC110 delivered by the service's own loop
            await asyncio.sleep(0.01)
    # What was refused for want of a bucket is told by no event.
    assert [event.allowed for event in local.analytics.events] == [True, True]


async def test_open_a_consume_passes_and_pools_stay_exact(local: Town, own: OwnRedis) -> None:
    client = await local.client()
    assert (await consume(client)).json()["used"] == 40
    await asyncio.to_thread(own.stop)
    local.settings.apply({"token.bucket.fail-open": "true"})
    for _ in range(30):
        answer = await consume(client)
        assert answer.status_code == 200
        body = answer.json()
        assert (body["capacity"], body["used"], body["remaining"]) == (1000, 0, 1000)
        assert answer.headers["x-ratelimit-used"] == "0"
    assert await quota(client) == (100_000, 100_000 - 31 * 40)
    await asyncio.to_thread(own.start)
    await until(lambda: consume(client), lambda answer: answer.json()["used"] == 40)
    local.settings.apply({"token.bucket.fail-open": "false"})
    assert (await consume(client)).json()["used"] == 80
