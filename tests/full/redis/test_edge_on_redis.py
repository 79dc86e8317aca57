"""Two edges as they are put together, over HTTP, counting on one Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from mesh.settings import Live
from svc_auth.settings import AuthSettings
from svc_auth.wiring import SERVICE as AUTH
from svc_gateway.settings import GatewaySettings
from svc_gateway.wiring import SERVICE
from tests.full.redis.conftest import until
from tests.parts.redis import OwnRedis
from tests.parts.urls import REDIS, url
from tests.svc_gateway.conftest import HandClock
from tests.svc_gateway.test_wiring import ALICE, WINDOW, Behind
from tests.wired import Wired, wired

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(REDIS), reason="needs a Redis"),
]
STATUS = "/api/v1/tokens/status"
ADDRESS = "192.0.2.55"


@dataclass
class Edges:
    one: httpx.AsyncClient
    two: httpx.AsyncClient
    auth: Wired
    settings: Live[GatewaySettings]

    async def key(self) -> tuple[str, str]:
        """A user's id and its API key."""
        async with self.auth.client(8081) as client:
            user = (await client.post("/api/v1/auth/register", json=ALICE)).json()["userId"]
            wanted = {"userId": user, "name": "ci"}
            key = (await client.post("/api/v1/auth/api-keys", json=wanted)).json()
            return user, key["rawKey"]


@pytest.fixture
async def edges(own: OwnRedis, tmp_path: Path) -> AsyncIterator[Edges]:
    clock, behind = HandClock(), Behind()
    env = {"LEAKY_DATA": str(tmp_path), "LEAKY_GATEWAY_RATE_LIMIT_STORE": own.url}
    settings = Live.read(GatewaySettings, env)
    async with AsyncExitStack() as stack:
        auth = await stack.enter_async_context(
            wired(AUTH, Live.read(AuthSettings, env), others={}, clock=clock, work=True)
        )
        others = dict.fromkeys(("token", "analytics", "stubs"), behind) | {"auth": auth.channel}
        one, two = [
            await stack.enter_async_context(wired(SERVICE, settings, others=others, clock=clock))
            for _ in range(2)
        ]
        yield Edges(
            one=await stack.enter_async_context(one.client(8080, ADDRESS)),
            two=await stack.enter_async_context(two.client(8080, ADDRESS)),
            auth=auth,
            settings=settings,
        )


async def test_requests_count_together_whichever_edge_they_come_to(edges: Edges) -> None:
    asked = [client.get(STATUS) for client in (edges.one, edges.two) for _ in range(10)]
    answers = await asyncio.gather(*asked)
    left = sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers)
    assert left == list(range(180, 200))
    edges.settings.apply({"gateway.rate-limit.routes./api/v1/tokens": "20"})
    for client in (edges.one, edges.two):
        answer = await client.get(STATUS)
        assert (answer.status_code, answer.json()["reason"]) == (429, "RATE_LIMIT_EXCEEDED")


async def test_redis_holds_neither_keys_nor_users_nor_addresses(
    edges: Edges, own: OwnRedis
) -> None:
    user, key = await edges.key()
    await edges.one.get(STATUS)
    await edges.one.get(
        f"/api/v1/tokens/quota?userId={user}&provider=openai", headers={"X-Api-Key": key}
    )
    with own.client() as client:
        held = {name.decode(): client.pttl(name) for name in client.scan_iter()}
    assert len(held) == 2
    assert all(0 < ends <= 120_000 for ends in held.values())
    for secret in (key, user, ADDRESS):
        assert secret not in str(held)


async def test_closed_what_is_limited_is_503_and_the_rest_goes_on(
    edges: Edges, own: OwnRedis
) -> None:
    assert (await edges.one.get(STATUS)).status_code == 200
    await asyncio.to_thread(own.stop)
    for client in (edges.one, edges.two):
        for _ in range(5):
            answer = await client.get(STATUS)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            # The edge's own lack: no service is named.
            assert (answer.json()["reason"], answer.json()["status"]) == ("UNAVAILABLE", 503)
            assert not [name for name in WINDOW if name in answer.headers]
        assert (await client.get("/actuator/health")).json()["status"] == "UP"
        assert (await client.get("/v3/api-docs")).status_code == 200
    edges.settings.apply({"gateway.rate-limit.whitelist-paths": STATUS})
    assert (await edges.one.get(STATUS)).status_code == 200
    edges.settings.apply({"gateway.rate-limit.whitelist-paths": ""})
    await asyncio.to_thread(own.start)
    for client in (edges.one, edges.two):
        await until(partial(client.get, STATUS), lambda answer: answer.status_code == 200)


async def test_open_requests_pass_and_no_header_says_what_nobody_knows(
    edges: Edges, own: OwnRedis
) -> None:
    await asyncio.to_thread(own.stop)
    edges.settings.apply({"gateway.rate-limit.fail-open": "true"})
    for _ in range(250):
        answer = await edges.one.get(STATUS)
        assert answer.status_code == 200
        assert not [name for name in (*WINDOW, "ratelimit") if name in answer.headers]
    edges.settings.apply({"gateway.rate-limit.fail-open": "false"})
    assert (await edges.one.get(STATUS)).status_code == 503
    await asyncio.to_thread(own.start)
    await until(
        partial(edges.one.get, STATUS), lambda answer: "x-ratelimit-limit" in answer.headers
    )
