"""Idempotency-Key over the service as it is put together: consume, new quotas and purchases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from leaky.token.v1 import consume_service_pb2, purchase_service_pb2, quota_service_pb2
from mesh.rpc.interceptors.validation import compile_message
from tests.svc_token.conftest import ORG, OTHER, USER
from tests.svc_token.town import BUY, SPEND, Town, completed, quota, refused, town

pytestmark = pytest.mark.anyio
POOL = {"orgId": ORG, "provider": "openai", "totalTokens": 100}
CALLS = {
    "/api/v1/tokens/consume": (SPEND, 200),
    "/api/v1/tokens/quota/org": (POOL, 201),
    "/api/v1/tokens/purchase": (BUY, 202),
}
AT_ONCE = 20


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as built:
        yield built


async def send(local: Town, path: str, key: str | bytes, **change: Any) -> httpx.Response:
    client = await local.client()
    headers: Any = {b"Idempotency-Key": key.encode() if isinstance(key, str) else key}
    return await client.post(path, json={**CALLS[path][0], **change}, headers=headers)


@pytest.mark.parametrize("path", CALLS)
async def test_twenty_at_once_are_one_and_look_the_same(local: Town, path: str) -> None:
    answers = await asyncio.gather(*(send(local, path, "once") for _ in range(AT_ONCE)))
    answers.append(await send(local, path, "once"))
    assert {answer.status_code for answer in answers} == {CALLS[path][1]}
    assert len({answer.content for answer in answers}) == 1
    shown = {
        tuple(sorted((name, value) for name, value in answer.headers.items() if "limit" in name))
        for answer in answers
    }
    assert len(shown) == 1
    client = await local.client()
    if path.endswith("consume"):
        assert await quota(client) == (100_000, 99_960)
        limit = await client.get(f"/api/v1/rate-limits/{USER}?provider=openai")
        assert limit.json()["used"] <= 40
    elif path.endswith("purchase"):
        await completed(client, answers[0].json()["sagaId"])
        assert await quota(client) == (100_500, 100_500)
        # It was answered before it had come so far, and so it is for good.
        assert (await send(local, path, "once")).content == answers[0].content
    else:
        shown_pool = await client.get(f"{path}?orgId={ORG}&provider=openai")
        assert shown_pool.json() == answers[0].json()


@pytest.mark.parametrize("path", CALLS)
async def test_another_request_under_the_same_key_is_a_conflict(local: Town, path: str) -> None:
    first = await send(local, path, "once")
    other = {"totalTokens": 101} if path.endswith("org") else {"tokens": 41}
    refused(await send(local, path, "once", **other), 409, "IDEMPOTENCY_KEY_REUSED")
    refused(await send(local, path, "once", provider="gemini"), 409, "IDEMPOTENCY_KEY_REUSED")
    # The same meaning in other bytes is the same request.
    spelled = {"orgId": ORG.upper()} if path.endswith("org") else {"userId": USER.upper()}
    again = await send(local, path, "once", **spelled, extra="ignored")
    assert (again.status_code, again.content) == (first.status_code, first.content)


async def test_one_key_may_go_with_each_operation_and_each_user(local: Town) -> None:
    for path, (_, status) in CALLS.items():
        assert (await send(local, path, "once")).status_code == status
    for path in ("/api/v1/tokens/consume", "/api/v1/tokens/purchase"):
        other = await send(local, path, "once", userId=OTHER)
        assert other.status_code == CALLS[path][1]
        assert other.content != (await send(local, path, "once")).content


async def test_a_consume_that_failed_may_be_tried_again_under_its_key(local: Town) -> None:
    path = "/api/v1/tokens/consume"
    local.stubs.apply({"stubs.openai.faults.status": "400"})
    refused(await send(local, path, "once"), 502, "PROVIDER_CALL_FAILED")
    local.stubs.apply({})
    assert (await send(local, path, "once")).status_code == 200
    client = await local.client()
    assert await quota(client) == (100_000, 99_960)


async def test_an_administrator_s_key_is_not_another_s(tmp_path: Path) -> None:
    async with town(tmp_path, LEAKY_PROFILE="secure") as secure:
        path, headers = "/api/v1/tokens/quota/org", {"Idempotency-Key": "once"}
        first, second = await secure.admin(), await secure.admin()
        made = await first.post(path, json=POOL, headers=headers)
        assert made.status_code == 201, made.text
        refused(await second.post(path, json=POOL, headers=headers), 409, "QUOTA_EXISTS")
        assert (await first.post(path, json=POOL, headers=headers)).content == made.content


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("key", ["", "k" * 101, b"a\tb", b"a\x85b", b"a\xadb"])
async def test_a_key_that_is_none_is_400(local: Town, path: str, key: str | bytes) -> None:
    body = refused(await send(local, path, key), 400, "INVALID_ARGUMENT")
    assert [fault["field"] for fault in body["errors"]] == ["idempotencyKey"]


@pytest.mark.parametrize(
    "request_type",
    [
        consume_service_pb2.ConsumeRequest,
        quota_service_pb2.CreateOrgQuotaRequest,
        purchase_service_pb2.CreatePurchaseRequest,
    ],
)
def test_what_no_header_can_carry_is_refused_over_grpc_too(request_type: Any) -> None:
    check = compile_message(request_type.DESCRIPTOR)

    def faults(key: str) -> list[str]:
        found = check(request_type(idempotency_key=key))
        return [fault.message for fault in found if fault.field == "idempotency_key"]

    assert faults("an order, N\u00b0 7") == []
    assert faults("a\0b") == ["must not contain NUL"]
    for key in ("\n", "a\rb", "a\x1bb", "a\x7fb", "a\u2028b"):
        assert faults(key) == ["must be printable"]
