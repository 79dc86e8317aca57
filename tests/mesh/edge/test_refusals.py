"""What hooks and calls refuse, and how it is printed."""

from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_CIRCUIT_OPEN,
    REASON_INSUFFICIENT_QUOTA,
    REASON_OVERLOADED,
    REASON_QUOTA_NOT_FOUND,
    REASON_RATE_LIMIT_EXCEEDED,
    REASON_RATE_LIMITED,
    REASON_SCOPE_INSUFFICIENT,
    REASON_UNAUTHENTICATED,
    REASON_UNAVAILABLE,
)
from leaky.token.v1.consume_service_pb2 import ConsumeResponse
from mesh.edge.request import EdgeRequest
from mesh.errors import AppError

pytestmark = pytest.mark.anyio
USER = "3f1b2c4d-0000-4000-8000-00000000000a"
CONSUME = "/api/v1/tokens/consume"


async def test_hooks_see_the_request_and_change_metadata_and_headers(make_world: Any) -> None:
    seen: list[EdgeRequest] = []

    async def first(request: EdgeRequest) -> None:
        seen.append(request)
        request.metadata["authorization"] = "Bearer internal"
        request.metadata.pop("x-api-key", None)
        request.response_headers.append((b"x-ratelimit-limit", b"120"))

    world = make_world(before=(first,), rename_headers={"X-RateLimit": "X-TokenBucket"})
    headers = {"X-Api-Key": "raw", "X-Forwarded-For": "198.51.100.1"}
    path = f"/api/v1/tokens/quota?userId={USER}&provider=a"
    response = await world.send("GET", path, headers=headers)
    assert response.headers["x-ratelimit-limit"] == "120"
    (request,) = seen
    assert (request.method, request.path) == ("GET", "/api/v1/tokens/quota")
    assert request.query == f"userId={USER}&provider=a"
    assert request.client == "192.0.2.7"
    assert request.headers["x-forwarded-for"] == "198.51.100.1"
    assert request.rpc.name == "GetQuota"
    metadata = world.script.calls[0].metadata
    assert metadata["authorization"] == "Bearer internal"
    assert "x-api-key" not in metadata


async def test_a_hook_s_refusal_ends_the_request_before_its_body_is_read(make_world: Any) -> None:
    async def limit(request: EdgeRequest) -> None:
        request.response_headers.append((b"x-ratelimit-remaining", b"0"))
        raise AppError(REASON_RATE_LIMIT_EXCEEDED, "rate limit exceeded", retry_after=12.2)

    world = make_world(before=(limit,))
    response = await world.send("POST", CONSUME, content=b"{")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "13"
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert response.json()["retryAfterSeconds"] == 13
    assert response.json()["message"] == "rate limit exceeded"
    assert world.script.requests == []


async def test_a_hook_s_headers_are_sent_on_errors_too(make_world: Any) -> None:
    async def mark(request: EdgeRequest) -> None:
        request.response_headers.append((b"x-mark", b"here"))

    world = make_world(before=(mark,))
    response = await world.send("POST", CONSUME, content=b"{")
    assert response.status_code == 400
    assert response.headers["x-mark"] == "here"
    world.script.error = RuntimeError("boom")
    assert (await world.consume()).headers["x-mark"]


async def test_a_rate_limited_refusal_prints_the_documented_body(world: Any) -> None:
    refusal = ConsumeResponse(capacity=1000, used=1000, wait_seconds=3)
    world.script.error = AppError(
        REASON_RATE_LIMITED, "rate limited", details=(refusal,), retry_after=2.5
    )
    response = await world.consume()
    assert response.status_code == 429
    assert response.headers["retry-after"] == "3"
    assert response.headers["x-ratelimit-reset"] == "3"
    assert response.json()["allowed"] is False
    assert response.json()["waitSeconds"] == 3
    assert response.json()["providerResponse"] == {}
    assert "reason" not in response.json()


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (REASON_QUOTA_NOT_FOUND, 404),
        (REASON_INSUFFICIENT_QUOTA, 402),
        (REASON_UNAUTHENTICATED, 401),
        (REASON_UNAVAILABLE, 503),
        (REASON_OVERLOADED, 503),
    ],
)
async def test_reasons_become_statuses(world: Any, reason: Any, status: int) -> None:
    world.script.error = AppError(reason, "said so")
    response = await world.consume()
    assert response.status_code == status
    assert response.json()["message"] == "said so"
    assert response.json()["status"] == status
    assert ("retry-after" in response.headers) == (status == 503)
    assert ("www-authenticate" in response.headers) == (status == 401)


async def test_a_service_that_is_away_answers_with_the_fallback(make_world: Any) -> None:
    world = make_world(
        unavailable=lambda method, _path, _error: {
            "service": method.service,
            "status": "unavailable",
        }
    )
    for reason in (REASON_UNAVAILABLE, REASON_CIRCUIT_OPEN):
        world.script.error = AppError(reason, "away", retry_after=10)
        response = await world.consume()
        assert response.status_code == 503
        assert response.headers["retry-after"] == "10"
        assert response.json() == {
            "service": "leaky.token.v1.ConsumeService",
            "status": "unavailable",
        }
    world.script.error = AppError(REASON_OVERLOADED, "busy")
    assert (await world.consume()).json()["reason"] == "OVERLOADED"


async def test_what_is_unexpected_answers_500_without_detail(world: Any) -> None:
    world.script.error = RuntimeError("a secret path")
    response = await world.consume()
    assert response.status_code == 500
    assert response.json()["message"] == "internal error"
    assert response.json()["reason"] == "INTERNAL"
    assert "secret" not in response.text


async def test_a_limited_credential_is_told_what_it_lacks(world: Any) -> None:
    world.script.error = AppError(REASON_SCOPE_INSUFFICIENT, "the scope tokens.write is needed")
    response = await world.consume()
    assert (response.status_code, response.json()["reason"]) == (403, "SCOPE_INSUFFICIENT")
    assert response.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
