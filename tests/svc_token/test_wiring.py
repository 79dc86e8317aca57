"""The service as it is put together, over its own REST port; svc_auth and the doubles are real."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.svc_token.conftest import ORG, USER
from tests.svc_token.town import BUCKET, BUY, SPEND, Town, completed, quota, refused, town

pytestmark = pytest.mark.anyio


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as built:
        yield built


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
    async with asyncio.timeout(30):
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
        ("POST", "/api/v1/tokens/reservations"),
        ("GET", "/api/v1/tokens/reservations/{id}"),
        ("POST", "/api/v1/tokens/reservations/{id}/settle"),
        ("POST", "/api/v1/tokens/reservations/{id}/release"),
        ("GET", "/api/v1/tokens/quota/org/members"),
        ("PUT", "/api/v1/tokens/quota/org/members/{userId}"),
        ("DELETE", "/api/v1/tokens/quota/org/members/{userId}"),
        ("GET", "/api/v1/providers/{provider}/quota"),
        ("GET", "/api/v1/rate-limits/{userId}"),
    }
    assert (await client.get("/actuator/health")).json()["status"] == "UP"
