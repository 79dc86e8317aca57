"""REST in, real handlers behind: what is asked, answered and refused."""

import asyncio
import json
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import (
    REASON_CIRCUIT_OPEN,
    REASON_INSUFFICIENT_QUOTA,
    REASON_OVERLOADED,
    REASON_QUOTA_NOT_FOUND,
    REASON_RATE_LIMIT_EXCEEDED,
    REASON_RATE_LIMITED,
    REASON_UNAUTHENTICATED,
    REASON_UNAVAILABLE,
)
from leaky.token.v1.consume_service_pb2 import ConsumeResponse
from mesh.edge.request import EdgeRequest
from mesh.errors import AppError

pytestmark = pytest.mark.anyio
USER = "3f1b2c4d-0000-4000-8000-00000000000a"
OTHER = "3f1b2c4d-0000-4000-8000-00000000000b"
CONSUME = "/api/v1/tokens/consume"
PURCHASE = "/api/v1/tokens/purchase"
BODY = {"userId": USER, "provider": "openai", "tokens": 5}


async def test_answers_with_the_contract_s_names_and_the_provider_s_bytes(world: Any) -> None:
    response = await world.consume(prompt="hi")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.json() == {
        "allowed": True,
        "capacity": 1000,
        "used": 5,
        "remaining": 995,
        "waitSeconds": 0,
        "timestamp": "2023-11-14T22:13:20.123456Z",
        "providerResponse": {"id": "x", "ratio": 1.5},
    }
    assert b'{ "id": "x",  "ratio": 1.50 }' in response.content
    assert world.script.requests[0].prompt == "hi"


async def test_sends_bound_response_fields_as_headers(world: Any) -> None:
    headers = (await world.consume()).headers
    assert headers["x-ratelimit-limit"] == "1000"
    assert headers["x-ratelimit-remaining"] == "995"
    assert headers["x-ratelimit-used"] == "5"
    assert headers["x-ratelimit-reset"] == "0"


async def test_renames_bound_headers_by_their_prefix(make_world: Any) -> None:
    world = make_world(rename_headers={"X-RateLimit": "X-TokenBucket"})
    headers = (await world.consume()).headers
    assert headers["x-tokenbucket-limit"] == "1000"
    assert "x-ratelimit-limit" not in headers


async def test_a_response_body_may_be_one_field(world: Any) -> None:
    purchase = await world.send("GET", f"{PURCHASE}/{USER}")
    assert purchase.json()["id"] == "p"
    assert purchase.json()["orgId"] is None
    keys = await world.send("GET", f"/api/v1/auth/api-keys?userId={USER}")
    assert [key["name"] for key in keys.json()] == ["first"]


async def test_a_204_has_no_body(world: Any) -> None:
    path = f"/api/v1/auth/api-keys?userId={USER}&apiKeyId={OTHER}"
    response = await world.send("DELETE", path)
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers
    assert world.script.requests[0].api_key_id == OTHER


async def test_success_statuses_come_from_the_rule(world: Any) -> None:
    assert (await world.send("POST", PURCHASE, json=BODY)).status_code == 202


async def test_a_header_fills_its_field_and_nothing_else_does(world: Any) -> None:
    headers = {"Idempotency-Key": "k-1"}
    body = {**BODY, "idempotencyKey": "from the body"}
    await world.send("POST", PURCHASE, json=body, headers=headers)
    await world.send("POST", PURCHASE, json=body)
    first, second = world.script.requests
    assert first.idempotency_key == "k-1"
    assert not second.HasField("idempotency_key")
    await world.send("GET", "/api/v1/auth/api-keys/validate?apiKey=in-a-url")
    assert world.script.requests[-1].api_key == ""


async def test_path_values_are_decoded_segment_by_segment(world: Any) -> None:
    await world.send("GET", "/api/v1/providers/a%2Fb%20%C3%A9/quota")
    assert world.script.requests[0].provider == "a/b é"


async def test_a_fixed_segment_wins_over_a_field(world: Any) -> None:
    await world.send("GET", "/api/v1/auth/api-keys/validate", headers={"X-Api-Key": "secret"})
    assert world.script.calls[0].method.name == "ValidateApiKey"
    assert world.script.requests[0].api_key == "secret"


async def test_a_raw_body_arrives_byte_for_byte(world: Any) -> None:
    raw = b'{ "prompt": "hi", "n": 1.50, "big": 123456789012345678901234567890 }'
    response = await world.send("POST", "/api/v1/openai/chat", content=raw)
    assert response.content == b'{ "id": "x",  "ratio": 1.50 }'
    assert world.script.requests[0].body == raw
    assert world.script.requests[0].provider == "openai"


@pytest.mark.parametrize("query", ["windowMinutes=15&provider=a", "window_minutes=15&provider=a"])
async def test_query_names_are_taken_in_both_spellings(world: Any, query: str) -> None:
    await world.send("GET", f"/api/v1/analytics/report?{query}")
    assert world.script.requests[0].window_minutes == 15


async def test_query_values_are_percent_decoded_and_unknown_ones_ignored(world: Any) -> None:
    await world.send("GET", "/api/v1/analytics/usage?provider=a%26b+c&nobody=1&&=&x")
    assert world.script.requests[0].provider == "a&b c"


@pytest.mark.parametrize(
    ("limit", "seen"),
    [("500", 200), ("0", 1), ("-3", 1), ("99999999999999999999", 200), ("20", 20), ("2e1", 20)],
)
async def test_numbers_out_of_range_are_clamped(world: Any, limit: str, seen: int) -> None:
    response = await world.send("GET", f"/api/v1/analytics/usage?provider=a&limit={limit}")
    assert response.status_code == 200
    assert world.script.requests[0].limit == seen


@pytest.mark.parametrize(
    "query",
    [
        "provider=a&limit=ten",
        "provider=a&limit=",
        "provider=a&limit=1.5",
        "provider=a&limit=NaN",
        "provider=a&limit=true",
        "provider=a&limit=1&limit=2",
        "provider=%ff",
        "provider=" + "a" * 20_000,
        "provider=",
        "",
    ],
)
async def test_a_bad_query_is_a_400(world: Any, query: str) -> None:
    response = await world.send("GET", f"/api/v1/analytics/usage?{query}")
    assert response.status_code == 400
    assert response.json()["reason"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "nan", "1e400", "x", ""])
async def test_what_is_no_number_in_a_query_is_a_400(world: Any, value: str) -> None:
    path = f"/api/v1/analytics/anomalies?provider=a&thresholdMultiplier={value}"
    response = await world.send("GET", path)
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "thresholdMultiplier"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "MALFORMED_JSON"),
        (b"{", "MALFORMED_JSON"),
        (b'{"userId": "\\ud800"}', "MALFORMED_JSON"),
        (b"\xff", "MALFORMED_JSON"),
        (b"[" * 200_000, "MALFORMED_JSON"),
        (b'{"tokens":' + b"9" * 5000 + b"}", "MALFORMED_JSON"),
        (b"[]", "INVALID_ARGUMENT"),
        (b"null", "INVALID_ARGUMENT"),
        (b"{}", "INVALID_ARGUMENT"),
        (b'{"tokens":"many"}', "INVALID_ARGUMENT"),
        (b'{"tokens":true}', "INVALID_ARGUMENT"),
        (b'{"userId":"not-a-uuid","provider":"a","tokens":1}', "INVALID_ARGUMENT"),
        (json.dumps({**BODY, "tokens": 10_001}).encode(), "INVALID_ARGUMENT"),
        (json.dumps({**BODY, "tokens": 0}).encode(), "INVALID_ARGUMENT"),
        (json.dumps({**BODY, "provider": "a\0b"}).encode(), "INVALID_ARGUMENT"),
        (json.dumps({**BODY, "provider": " "}).encode(), "INVALID_ARGUMENT"),
    ],
)
async def test_a_bad_body_is_a_400(world: Any, content: bytes, reason: str) -> None:
    response = await world.send("POST", CONSUME, content=content)
    assert response.status_code == 400
    assert response.json()["reason"] == reason
    assert world.script.requests == []


async def test_an_error_has_the_contract_s_shape_and_json_field_names(world: Any) -> None:
    response = await world.send("POST", CONSUME, json={"provider": "a", "tokens": 5})
    trace_id = response.json()["traceId"]
    assert response.json() == {
        "message": "userId: is required",
        "timestamp": "2023-11-14T22:13:20.123456Z",
        "path": CONSUME,
        "status": 400,
        "reason": "INVALID_ARGUMENT",
        "traceId": trace_id,
        "errors": [{"field": "userId", "message": "is required"}],
    }
    assert len(trace_id) == 32


async def test_duplicate_keys_unknown_fields_and_nulls_are_fine(world: Any) -> None:
    content = json.dumps({**BODY, "orgId": None, "more": {"a": 1}})[:-1] + ', "tokens": "7"}'
    assert (await world.send("POST", CONSUME, content=content)).status_code == 200
    assert world.script.requests[0].tokens == 7


async def test_a_150_character_idempotency_key_is_a_400(world: Any) -> None:
    response = await world.send("POST", PURCHASE, json=BODY, headers={"Idempotency-Key": "k" * 150})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "idempotencyKey"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('Application/JSON;charset="UTF-8"', 200),
        ("application/merge-patch+json", 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
async def test_bodies_are_json(world: Any, content_type: str, status: int) -> None:
    headers = {"content-type": content_type}
    response = await world.send("POST", CONSUME, content=json.dumps(BODY), headers=headers)
    assert response.status_code == status


async def test_a_body_without_a_content_type_counts_as_json(world: Any) -> None:
    response = await world.send("POST", CONSUME, content=json.dumps(BODY).encode())
    assert "content-type" not in response.request.headers
    assert response.status_code == 200


async def test_an_encoded_body_is_a_415(world: Any) -> None:
    headers = {"content-encoding": "gzip"}
    response = await world.send("POST", CONSUME, content=b"{}", headers=headers)
    assert response.status_code == 415


async def test_a_declared_body_past_one_mebibyte_is_refused_unread(world: Any) -> None:
    response = await world.send("POST", CONSUME, content=b" " * (1024 * 1024 + 1))
    assert response.status_code == 413
    assert response.json()["reason"] == "BODY_TOO_LARGE"
    assert response.headers["connection"] == "close"


async def test_a_chunked_body_is_read_up_to_one_mebibyte_and_no_further(world: Any) -> None:
    sent = []

    async def endless() -> Any:
        while True:
            sent.append(1)
            yield b" " * 65_536

    response = await world.send("POST", CONSUME, content=endless())
    assert response.status_code == 413
    assert len(sent) <= 18


async def test_a_chunked_body_within_the_limit_is_put_together(world: Any) -> None:
    async def chunks() -> Any:
        for byte in json.dumps(BODY).encode():
            yield bytes([byte])

    assert (await world.send("POST", CONSUME, content=chunks())).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nowhere",
        f"{CONSUME}/",
        "/api/v1/tokens",
        "/api/v1/providers//quota",
        "/leaky.auth.v1.CredentialService/ExchangeApiKey",
        "//api/v1/tokens/status",
        "/api/v1/tokens%2Fstatus",
    ],
)
async def test_an_unknown_path_is_a_404(world: Any, path: str) -> None:
    response = await world.send("GET", f"http://edge{path}")
    assert response.status_code == 404
    assert response.json()["reason"] == "PATH_NOT_FOUND"
    assert response.json()["path"]


@pytest.mark.parametrize(
    ("verb", "path", "allow"),
    [
        ("GET", CONSUME, "OPTIONS, POST"),
        ("PATCH", "/api/v1/auth/api-keys", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("TRACE", CONSUME, "OPTIONS, POST"),
        ("BREW", f"{PURCHASE}/1", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_verb_is_a_405_with_allow(
    world: Any, verb: str, path: str, allow: str
) -> None:
    response = await world.send(verb, path)
    assert response.status_code == 405
    assert response.headers["allow"] == allow
    assert response.json()["reason"] == "METHOD_NOT_ALLOWED"


async def test_head_is_get_without_a_body_and_options_tells_the_verbs(world: Any) -> None:
    got = await world.send("GET", "/api/v1/tokens/status")
    head = await world.send("HEAD", "/api/v1/tokens/status")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]
    options = await world.send("OPTIONS", CONSUME)
    assert (options.status_code, options.headers["allow"]) == (204, "OPTIONS, POST")


@pytest.mark.parametrize(
    ("path", "verb", "seconds"),
    [(CONSUME, "POST", 4.0), (PURCHASE, "POST", 3.0), ("/api/v1/tokens/status", "GET", 5.0)],
)
async def test_a_call_has_the_deadline_of_its_class(
    world: Any, path: str, verb: str, seconds: float
) -> None:
    await world.send(verb, path, json=BODY)
    assert world.script.timeouts == [seconds]


async def test_only_four_headers_are_handed_on(world: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "Authorization": "Bearer x",
        "X-Api-Key": "key",
        "X-Correlation-Id": "c-1",
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        "x-user-id": "root",
        "x_internal_roles": "ADMIN",
        "x-leaky-service": "gateway",
        "Cookie": "a=b",
    }
    await world.send("GET", f"/api/v1/tokens/quota?userId={USER}&provider=a", headers=headers)
    metadata = dict(world.script.calls[0].metadata)
    handed = metadata.pop("traceparent")
    assert metadata == {"authorization": "Bearer x", "x-api-key": "key", "x-correlation-id": "c-1"}
    assert handed.startswith(f"00-{trace}-")
    assert handed.endswith("-01")
    assert "b7ad6b7169203331" not in handed


async def test_a_credential_that_no_metadata_can_carry_is_a_401(world: Any) -> None:
    headers = {"Authorization": b"Bearer \xe9"}
    response = await world.send("GET", f"/api/v1/tokens/quota?userId={USER}", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    status = await world.send("GET", "/api/v1/tokens/status", headers=headers)
    assert status.status_code == 200


async def test_hooks_see_the_request_and_change_metadata_and_headers(make_world: Any) -> None:
    seen: list[EdgeRequest] = []

    async def first(request: EdgeRequest) -> None:
        seen.append(request)
        request.metadata["authorization"] = "Bearer internal"
        request.metadata.pop("x-api-key", None)
        request.response_headers["X-RateLimit-Limit"] = "120"

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
        request.response_headers["X-RateLimit-Remaining"] = "0"
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
        request.response_headers["X-Mark"] = "line\r\nSet-Cookie: a=b"

    world = make_world(before=(mark,))
    response = await world.send("POST", CONSUME, content=b"{")
    assert response.status_code == 400
    assert response.headers["x-mark"] == "lineSet-Cookie: a=b"
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
        unavailable=lambda method: {"service": method.service, "status": "unavailable"}
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


async def test_a_client_that_leaves_before_its_body_is_whole_gets_no_call(world: Any) -> None:
    messages = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": CONSUME,
        "raw_path": CONSUME.encode(),
        "query_string": b"",
        "headers": [],
        "client": None,
        "scheme": "http",
    }

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(world.app(scope, receive, send), 5)
    assert sent == []
    assert world.script.requests == []
