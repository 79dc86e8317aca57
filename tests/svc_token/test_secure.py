"""The service as it is put together, in `secure`: nobody reaches another's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

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


async def comes_to(expected: int, client: httpx.AsyncClient, *call: Any) -> None:
    """A revocation is on its way for a fraction of a second, and no longer than one."""
    async with asyncio.timeout(30):
        while await ask(client, *call) != expected:
            pass


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


async def test_in_secure_billing_buys_and_looks_but_does_not_spend(secure: Town) -> None:
    alice, hers = await secure.newcomer()
    bob, his = await secure.newcomer()
    org = await secure.organization(hers, bob)
    spend = {**SPEND, "userId": bob, "orgId": org}
    hold = {"id": str(uuid4()), **spend, "tokens": 5}
    bought = await his.post("/api/v1/tokens/purchase", json={**BUY, "userId": bob, "orgId": org})
    await completed(his, bought.json()["sagaId"])
    assert await ask(his, "POST", "/api/v1/tokens/consume", spend) == 200
    assert await ask(his, "POST", "/api/v1/tokens/reservations", hold) == 201

    role = f"/api/v1/orgs/{org}/members/{bob}/role"
    await secure.at_auth(hers, "PUT", role, {"role": "BILLING"})
    held = f"/api/v1/tokens/reservations/{hold['id']}"
    read = f"/api/v1/tokens/quota/org?orgId={org}&provider=openai"
    caps = f"/api/v1/tokens/quota/org/members?orgId={org}&provider=openai"
    await comes_to(403, his, "POST", "/api/v1/tokens/consume", spend)
    another = {**hold, "id": str(uuid4())}
    assert await ask(his, "POST", "/api/v1/tokens/reservations", another) == 403
    theirs = {**SPEND, "userId": alice, "orgId": org, "id": str(uuid4()), "tokens": 5}
    assert await ask(hers, "POST", "/api/v1/tokens/reservations", theirs) == 201
    alices = f"/api/v1/tokens/reservations/{theirs['id']}"
    assert await ask(his, "GET", alices, None) == 200
    assert await ask(his, "POST", f"{alices}/settle", {"tokens": 5}) == 404
    assert await ask(his, "POST", f"{alices}/release", {}) == 404
    for path in (read, caps, f"/api/v1/tokens/purchase/{bought.json()['sagaId']}"):
        assert await ask(his, "GET", path, None) == 200
    again = {**BUY, "userId": bob, "orgId": org}
    assert await ask(his, "POST", "/api/v1/tokens/purchase", again) == 202
    # What it held while it might is still to be paid.
    # What it held it may end, but not spend more than that.
    assert await ask(his, "POST", f"{held}/settle", {"tokens": 6}) == 403
    assert await ask(his, "POST", f"{held}/settle", {"tokens": 5}) == 200


async def test_in_secure_the_owner_caps_a_member_and_ends_its_spending(secure: Town) -> None:
    _, hers = await secure.newcomer()
    bob, his = await secure.newcomer()
    org = await secure.organization(hers, bob)
    bought = await his.post("/api/v1/tokens/purchase", json={**BUY, "userId": bob, "orgId": org})
    await completed(his, bought.json()["sagaId"])
    spend = {**SPEND, "userId": bob, "orgId": org}
    path = f"/api/v1/tokens/quota/org/members/{bob}"
    cap = {"orgId": org, "provider": "openai", "maxTokens": SPEND["tokens"]}
    assert await ask(his, "PUT", path, cap) == 403
    assert await ask(hers, "PUT", path, cap) == 200
    assert await ask(his, "POST", "/api/v1/tokens/consume", spend) == 200
    answer = await his.post("/api/v1/tokens/consume", json=spend)
    refused(answer, 402, "MEMBER_CAP_EXCEEDED")
    await secure.at_auth(hers, "DELETE", f"/api/v1/orgs/{org}/members/{bob}")
    await comes_to(403, his, "POST", "/api/v1/tokens/consume", spend)
    listed = await hers.get(f"/api/v1/tokens/quota/org/members?orgId={org}&provider=openai")
    assert [one["userId"] for one in listed.json()] == [bob]


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
