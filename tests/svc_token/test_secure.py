"""The service as it is put together, in `secure`: nobody reaches another's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.svc_token.conftest import ORG, OTHER
from tests.svc_token.town import BUY, SPEND, Town, completed, refused, town

pytestmark = pytest.mark.anyio


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path, LEAKY_PROFILE="secure") as built:
        yield built


async def test_the_status_is_told_to_anyone(secure: Town) -> None:
    client = await secure.client()
    answer = await client.get("/api/v1/tokens/status")
    assert answer.status_code == 200
    assert set(answer.json()) == {"service", "status", "timestamp", "version"}
    assert (answer.json()["service"], answer.json()["status"]) == ("token-service", "ok")


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
