"""The service as it is put together, over its own REST port; svc_auth and the doubles are real."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageResponse
from mesh.http_server import HttpServer
from mesh.settings import Live
from svc_auth.admin import create_admin
from svc_auth.settings import AuthSettings
from svc_auth.wiring import SERVICE as AUTH
from svc_stubs.settings import StubsSettings
from svc_stubs.wiring import SERVICE as STUBS
from svc_token.settings import TokenSettings
from svc_token.wiring import SERVICE
from tests.svc_token.conftest import ORG, OTHER, USER
from tests.wired import Wired, wired

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse battery"
ERROR = {"message", "timestamp", "path", "status", "reason", "traceId"}
BUCKET = {"allowed", "capacity", "used", "remaining", "waitSeconds", "timestamp"}
SPEND = {"userId": USER, "provider": "openai", "tokens": 40, "prompt": "hello"}
BUY = {"userId": USER, "provider": "openai", "tokens": 500}


@dataclass
class Analytics:
    """Where the channel to svc_analytics ends."""

    events: list[Any] = field(default_factory=list)

    async def unary(self, method: Any, request: Any, **_: Any) -> Any:  # noqa: ARG002 as a channel
        self.events += request.events
        return PublishUsageResponse()

    def stream(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        pass


@dataclass
class Town:
    """The services, and a client for each caller."""

    auth: Wired
    token: Wired
    settings: Live[TokenSettings]
    stubs: Live[StubsSettings]
    analytics: Analytics
    stack: AsyncExitStack
    numbers: Any = field(default_factory=count)

    async def client(self, **headers: str) -> httpx.AsyncClient:
        client = await self.stack.enter_async_context(self.token.client(8082))
        client.headers.update(headers)
        return client

    async def newcomer(self) -> tuple[str, httpx.AsyncClient]:
        """A new user's id, and a client with its credential."""
        name = f"user-{next(self.numbers)}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        async with self.auth.client(8081) as auth:
            made = (await auth.post("/api/v1/auth/register", json=body)).json()
        return made["userId"], await self.client(Authorization=f"Bearer {made['token']}")

    async def admin(self) -> httpx.AsyncClient:
        name = f"root-{next(self.numbers)}"
        settings = AuthSettings(data=self.settings.current.data)
        await create_admin(settings, username=name, email=f"{name}@example.com", password=PASSWORD)
        async with self.auth.client(8081) as auth:
            body = {"username": name, "password": PASSWORD}
            token = (await auth.post("/api/v1/auth/login", json=body)).json()["token"]
        return await self.client(Authorization=f"Bearer {token}")


@asynccontextmanager
async def town(data: Path, **env: str) -> AsyncIterator[Town]:
    env = {"LEAKY_DATA": str(data), **env}
    async with AsyncExitStack() as stack:
        auth = await stack.enter_async_context(wired(AUTH, Live.read(AuthSettings, env), others={}))
        stub_settings = Live.read(StubsSettings, env)
        stubs = await stack.enter_async_context(
            wired(STUBS, stub_settings, others={"auth": auth.channel})
        )
        server = HttpServer(stubs.parts.http[8093], "127.0.0.1", 0, grace=1)
        port = await server.start()
        stack.push_async_callback(server.stop)
        base_url = {"LEAKY_PROVIDERS_OPENAI_BASE_URL": f"http://127.0.0.1:{port}"}
        settings = Live.read(TokenSettings, env | base_url)
        analytics = Analytics()
        others = {"auth": auth.channel, "stubs": stubs.channel, "analytics": analytics}
        token = await stack.enter_async_context(wired(SERVICE, settings, others=others, work=True))
        yield Town(
            auth=auth,
            token=token,
            settings=settings,
            stubs=stub_settings,
            analytics=analytics,
            stack=stack,
        )


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as built:
        yield built


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path, LEAKY_PROFILE="secure") as built:
        yield built


def refused(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """The body, which is an error's as documented."""
    body = cast("dict[str, Any]", answer.json())
    assert (answer.status_code, body["reason"], body["status"]) == (status, reason, status)
    assert set(body) - {"errors"} == ERROR
    return body


async def quota(client: httpx.AsyncClient, user: str = USER) -> tuple[int, int]:
    answer = await client.get(f"/api/v1/tokens/quota?userId={user}&provider=openai")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {
        "userId",
        "provider",
        "totalTokens",
        "remainingTokens",
        "resetTime",
        "updatedAt",
    }
    return body["totalTokens"], body["remainingTokens"]


async def completed(client: httpx.AsyncClient, saga_id: str, status: str = "COMPLETED") -> Any:
    async with asyncio.timeout(10):
        while True:
            body = (await client.get(f"/api/v1/tokens/purchase/{saga_id}")).json()
            if body["status"] == status:
                return body
            await asyncio.sleep(0.01)


async def test_the_status_is_told_to_anyone(secure: Town) -> None:
    client = await secure.client()
    answer = await client.get("/api/v1/tokens/status")
    assert answer.status_code == 200
    assert set(answer.json()) == {"service", "status", "timestamp", "version"}
    assert (answer.json()["service"], answer.json()["status"]) == ("token-service", "ok")


async def test_a_consume_answers_as_documented_charges_exactly_and_is_told(local: Town) -> None:
    client = await local.client()
    answer = await client.post("/api/v1/tokens/consume", json=SPEND)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {*BUCKET, "providerResponse"}
    assert (body["allowed"], body["capacity"], body["used"]) == (True, 1000, 40)
    assert (body["remaining"], body["waitSeconds"]) == (960, 0)
    assert {"id", "provider", "received", "created", "message"} <= set(body["providerResponse"])
    assert body["providerResponse"]["received"] == "hello"
    assert {name: answer.headers[f"x-ratelimit-{name}"] for name in ("limit", "reset")} == {
        "limit": "1000",
        "reset": "0",
    }
    assert answer.headers["x-ratelimit-used"] == "40"
    assert answer.headers["x-ratelimit-remaining"] == "960"
    assert "x-tokenbucket-limit" not in answer.headers
    assert await quota(client) == (100_000, 99_960)
    async with asyncio.timeout(5):
        while not local.analytics.events:  # noqa: ASYNC110 delivered by the service's own loop
            await asyncio.sleep(0.01)
    [event] = local.analytics.events
    assert (event.user_id, event.tokens, event.allowed) == (USER, 40, True)


async def test_past_the_bucket_is_429_with_the_body_of_a_200(local: Town) -> None:
    local.settings.apply({"token.bucket.capacity": "50", "token.bucket.leak-rate-per-second": "1"})
    client = await local.client()
    assert (await client.post("/api/v1/tokens/consume", json=SPEND)).status_code == 200
    answer = await client.post("/api/v1/tokens/consume", json=SPEND)
    assert answer.status_code == 429
    body = answer.json()
    assert set(body) == {*BUCKET, "providerResponse"}
    assert (body["allowed"], body["providerResponse"]) == (False, {})
    assert 1 <= body["waitSeconds"] <= 30
    assert answer.headers["retry-after"] == str(body["waitSeconds"])
    assert answer.headers["x-ratelimit-reset"] == str(body["waitSeconds"])
    assert answer.headers["x-ratelimit-limit"] == "50"
    assert (await quota(client))[1] == 99_960


async def test_past_the_pool_is_402_and_the_bucket_has_its_tokens_back(local: Town) -> None:
    local.settings.apply({"token.tiers.levels.USER.quota-max-tokens": "39"})
    client = await local.client()
    answer = await client.post("/api/v1/tokens/consume", json=SPEND)
    body = refused(answer, 402, "INSUFFICIENT_QUOTA")
    assert body["message"] == "insufficient token quota"
    limit = await client.get(f"/api/v1/rate-limits/{USER}?provider=openai")
    assert limit.json()["used"] == 0
    assert await quota(client) == (39, 39)


async def test_a_provider_that_fails_is_502_and_the_tokens_are_back(local: Town) -> None:
    local.stubs.apply({"stubs.openai.faults.status": "400"})
    client = await local.client()
    answer = await client.post("/api/v1/tokens/consume", json=SPEND)
    body = refused(answer, 502, "PROVIDER_CALL_FAILED")
    assert body["message"] == "provider call failed"
    assert await quota(client) == (100_000, 100_000)
    limit = await client.get(f"/api/v1/rate-limits/{USER}?provider=openai")
    assert limit.json()["used"] == 0


@pytest.mark.parametrize(
    ("change", "reason", "named"),
    [
        ({"tokens": 0}, "INVALID_ARGUMENT", "tokens"),
        ({"tokens": 10_001}, "INVALID_ARGUMENT", "tokens"),
        ({"tokens": "many"}, "INVALID_ARGUMENT", "tokens"),
        ({"tokens": None}, "INVALID_ARGUMENT", "tokens"),
        ({"tokens": 1001}, "COST_EXCEEDS_CAPACITY", "tokens"),
        ({"userId": "me"}, "INVALID_ARGUMENT", "userId"),
        ({"userId": None}, "INVALID_ARGUMENT", "userId"),
        ({"orgId": "ours"}, "INVALID_ARGUMENT", "orgId"),
        ({"provider": "claude"}, "UNKNOWN_PROVIDER", "provider"),
        ({"provider": ""}, "INVALID_ARGUMENT", "provider"),
        ({"prompt": 7}, "INVALID_ARGUMENT", "prompt"),
    ],
)
async def test_a_consume_that_makes_no_sense_is_400_and_named(
    local: Town, change: Mapping[str, Any], reason: str, named: str
) -> None:
    client = await local.client()
    answer = await client.post("/api/v1/tokens/consume", json={**SPEND, **change})
    body = refused(answer, 400, reason)
    assert [fault["field"] for fault in body["errors"]] == [named]
    missing = await client.get(f"/api/v1/tokens/quota?userId={USER}&provider=openai")
    assert refused(missing, 404, "QUOTA_NOT_FOUND")["message"] == "quota not found"


async def test_a_provider_that_is_switched_off_is_503(local: Town) -> None:
    local.settings.apply({"providers.openai.enabled": "false"})
    client = await local.client()
    answer = await client.post("/api/v1/tokens/consume", json=SPEND)
    refused(answer, 503, "PROVIDER_DISABLED")
    assert answer.headers["retry-after"] == "60"


async def test_a_purchase_is_accepted_goes_through_and_is_shown(local: Town) -> None:
    client = await local.client()
    answer = await client.post("/api/v1/tokens/purchase", json=BUY)
    assert answer.status_code == 202
    assert set(answer.json()) == {"sagaId", "status", "createdAt"}
    assert answer.json()["status"] == "STARTED"
    body = await completed(client, answer.json()["sagaId"])
    assert {**body, "updatedAt": None} == {
        "id": answer.json()["sagaId"],
        "orgId": None,
        "idempotencyKey": None,
        "status": "COMPLETED",
        "createdAt": answer.json()["createdAt"],
        "updatedAt": None,
        **BUY,
    }
    assert await quota(client) == (100_500, 100_500)


async def test_a_purchase_is_repeated_by_its_key_and_refused_with_another_body(
    local: Town,
) -> None:
    client = await local.client()

    async def buy(key: str, **change: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return await client.post("/api/v1/tokens/purchase", json={**BUY, **change}, headers=headers)

    first = await buy("k" * 100)
    again = await buy("k" * 100)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["sagaId"] == again.json()["sagaId"]
    refused(await buy("k" * 100, tokens=501), 409, "IDEMPOTENCY_KEY_REUSED")
    refused(await buy("k" * 101), 400, "INVALID_ARGUMENT")
    for tokens in (0, 1_000_001, 1.5):
        refused(await buy("other", tokens=tokens), 400, "INVALID_ARGUMENT")
    refused(await buy("other", provider="claude"), 400, "UNKNOWN_PROVIDER")
    body = await completed(client, first.json()["sagaId"])
    assert body["idempotencyKey"] == "k" * 100
    assert await quota(client) == (100_500, 100_500)


async def test_a_declined_payment_ends_failed(local: Town) -> None:
    local.stubs.apply({"stubs.payment.decline": "true"})
    client = await local.client()
    answer = await client.post("/api/v1/tokens/purchase", json=BUY)
    await completed(client, answer.json()["sagaId"], "FAILED")


async def test_purchases_may_be_switched_off(local: Town) -> None:
    local.settings.apply({"feature.flags.token-service.saga-purchases": "false"})
    client = await local.client()
    answer = await client.post("/api/v1/tokens/purchase", json=BUY)
    refused(answer, 503, "FEATURE_DISABLED")


async def test_a_purchase_that_is_none_is_not_shown(local: Town) -> None:
    client = await local.client()
    refused(await client.get("/api/v1/tokens/purchase/7"), 400, "INVALID_ARGUMENT")
    refused(await client.get(f"/api/v1/tokens/purchase/{USER}"), 404, "PURCHASE_NOT_FOUND")


async def test_an_organisation_s_pool_is_made_changed_and_spent(local: Town) -> None:
    client = await local.client()
    path = "/api/v1/tokens/quota/org"
    pool = {"orgId": ORG, "provider": "openai", "totalTokens": 100}
    refused(await client.put(path, json=pool), 404, "QUOTA_NOT_FOUND")
    refused(await client.get(f"{path}?orgId={ORG}&provider=openai"), 404, "QUOTA_NOT_FOUND")
    made = await client.post(path, json=pool)
    assert made.status_code == 201
    assert set(made.json()) == {
        "orgId",
        "provider",
        "totalTokens",
        "remainingTokens",
        "resetTime",
        "updatedAt",
    }
    refused(await client.post(path, json=pool), 409, "QUOTA_EXISTS")
    refused(await client.post(path, json={**pool, "totalTokens": -1}), 400, "INVALID_ARGUMENT")
    spent = await client.post("/api/v1/tokens/consume", json={**SPEND, "orgId": ORG})
    assert spent.status_code == 200
    changed = await client.put(path, json={**pool, "totalTokens": 200})
    assert changed.status_code == 200
    shown = await client.get(f"{path}?orgId={ORG}&provider=openai")
    assert shown.json() == changed.json()
    assert (shown.json()["totalTokens"], shown.json()["remainingTokens"]) == (200, 160)


async def test_providers_and_buckets_are_described(local: Town) -> None:
    client = await local.client()
    answer = await client.get("/api/v1/providers/gemini/quota")
    assert answer.json() == {
        "provider": "gemini",
        "defaultQuota": 500,
        "rateLimit": 5,
        "enabled": True,
    }
    refused(await client.get("/api/v1/providers/claude/quota"), 404, "PROVIDER_NOT_FOUND")
    answer = await client.get(f"/api/v1/rate-limits/{USER}?provider=openai")
    assert answer.json() == {
        "userId": USER,
        "provider": "openai",
        "strategy": "LEAKY_BUCKET",
        "capacity": 1000,
        "used": 0,
        "remaining": 1000,
        "waitSeconds": 0,
    }
    refused(await client.get("/api/v1/rate-limits/me?provider=openai"), 400, "INVALID_ARGUMENT")
    refused(await client.get(f"/api/v1/rate-limits/{USER}"), 400, "INVALID_ARGUMENT")
    refused(
        await client.get(f"/api/v1/rate-limits/{USER}?provider=claude"), 400, "UNKNOWN_PROVIDER"
    )


async def test_an_id_in_capitals_is_the_same_user(local: Town) -> None:
    client = await local.client()
    body = {**SPEND, "userId": USER.upper()}
    assert (await client.post("/api/v1/tokens/consume", json=body)).status_code == 200
    assert await quota(client) == (100_000, 99_960)


async def ask(client: httpx.AsyncClient, verb: str, path: str, body: Any) -> int:
    return (await client.request(verb, path, json=body)).status_code


async def test_in_secure_each_user_has_what_is_its_own(secure: Town) -> None:
    alice, hers = await secure.newcomer()
    bob, his = await secure.newcomer()
    nobody, forged = await secure.client(), await secure.client(Authorization="Bearer a.b.c")
    admin = await secure.admin()
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/api/v1/tokens/consume", {**SPEND, "userId": alice}),
        ("GET", f"/api/v1/tokens/quota?userId={alice}&provider=openai", None),
        ("GET", f"/api/v1/rate-limits/{alice}?provider=openai", None),
        ("POST", "/api/v1/tokens/purchase", {**BUY, "userId": alice}),
    ]
    for verb, path, body in calls:
        assert await ask(nobody, verb, path, body) == 401
        assert await ask(forged, verb, path, body) == 401
        assert await ask(his, verb, path, body) == 403
        assert await ask(hers, verb, path, body) in {200, 202}
        assert await ask(admin, verb, path, body) in {200, 202}
    spoofed = await secure.client(**{"X-User-Id": alice, "X-Internal-User": alice})
    assert await ask(spoofed, *calls[0]) == 401
    assert await ask(nobody, "GET", "/api/v1/providers/qwen/quota", None) == 401
    assert await ask(his, "GET", "/api/v1/providers/qwen/quota", None) == 200
    assert await ask(his, "GET", f"/api/v1/tokens/quota?userId={bob}&provider=openai", None) == 404


async def test_in_secure_a_purchase_is_shown_to_its_own_only(secure: Town) -> None:
    alice, hers = await secure.newcomer()
    _, his = await secure.newcomer()
    admin, nobody = await secure.admin(), await secure.client()
    made = await hers.post("/api/v1/tokens/purchase", json={**BUY, "userId": alice})
    path = f"/api/v1/tokens/purchase/{made.json()['sagaId']}"
    assert await ask(hers, "GET", path, None) == 200
    assert await ask(admin, "GET", path, None) == 200
    assert await ask(nobody, "GET", path, None) == 401
    refused(await his.get(path), 404, "PURCHASE_NOT_FOUND")


async def test_in_secure_an_organisation_is_its_members(secure: Town) -> None:
    alice, hers = await secure.newcomer()
    bob, his = await secure.newcomer()
    admin = await secure.admin()
    path = "/api/v1/tokens/quota/org"
    pool = {"orgId": ORG, "provider": "openai", "totalTokens": 100}
    for verb in ("POST", "PUT"):
        assert await ask(hers, verb, path, pool) == 403
    assert await ask(admin, "POST", path, pool) == 201
    async with secure.auth.client(8081) as auth:
        auth.headers.update(admin.headers)
        assert await ask(auth, "PUT", f"/api/v1/orgs/{ORG}/members/{alice}", None) == 204
    read = f"{path}?orgId={ORG}&provider=openai"
    assert await ask(hers, "GET", read, None) == 200
    assert await ask(his, "GET", read, None) == 403
    hers_spent = {**SPEND, "userId": alice, "orgId": ORG}
    his_spent = {**SPEND, "userId": bob, "orgId": ORG}
    assert await ask(hers, "POST", "/api/v1/tokens/consume", hers_spent) == 200
    assert await ask(his, "POST", "/api/v1/tokens/consume", his_spent) == 403
    assert await ask(hers, "POST", "/api/v1/tokens/consume", his_spent) == 403
    assert await ask(his, "POST", "/api/v1/tokens/purchase", {**BUY, **his_spent}) == 403
    bought = await hers.post("/api/v1/tokens/purchase", json={**BUY, "userId": alice, "orgId": ORG})
    body = await completed(hers, bought.json()["sagaId"])
    assert body["orgId"] == ORG
    assert await ask(his, "GET", f"/api/v1/tokens/purchase/{body['id']}", None) == 404
    assert (await hers.get(read)).json()["remainingTokens"] == 100 + 500 - 40


async def test_an_api_key_is_enough_on_the_service_s_own_port(secure: Town) -> None:
    alice, hers = await secure.newcomer()
    async with secure.auth.client(8081) as auth:
        auth.headers.update(hers.headers)
        key = await auth.post("/api/v1/auth/api-keys", json={"userId": alice, "name": "ci"})
    keyed = await secure.client(**{"X-Api-Key": key.json()["rawKey"]})
    body = {**SPEND, "userId": alice}
    assert await ask(keyed, "POST", "/api/v1/tokens/consume", body) == 200
    assert await ask(keyed, "POST", "/api/v1/tokens/consume", {**body, "userId": OTHER}) == 403
    wrong = await secure.client(**{"X-Api-Key": key.json()["rawKey"][:-1]})
    answer = await wrong.post("/api/v1/tokens/consume", json=body)
    refused(answer, 401, "INVALID_API_KEY")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_every_documented_path_is_served(local: Town) -> None:
    client = await local.client()
    paths = (await client.get("/v3/api-docs")).json()["paths"]
    served = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}
    assert {pair for pair in served if pair[1].startswith("/api/")} == {
        ("GET", "/api/v1/tokens/status"),
        ("GET", "/api/v1/tokens/quota"),
        ("GET", "/api/v1/tokens/quota/org"),
        ("POST", "/api/v1/tokens/quota/org"),
        ("PUT", "/api/v1/tokens/quota/org"),
        ("POST", "/api/v1/tokens/consume"),
        ("POST", "/api/v1/tokens/purchase"),
        ("GET", "/api/v1/tokens/purchase/{sagaId}"),
        ("GET", "/api/v1/providers/{provider}/quota"),
        ("GET", "/api/v1/rate-limits/{userId}"),
    }
    assert (await client.get("/actuator/health")).json()["status"] == "UP"
