"""Bad requests: each has its status, its reason and the contract's shape."""

import asyncio
import json
from typing import Any

import pytest

pytestmark = pytest.mark.anyio
USER = "3f1b2c4d-0000-4000-8000-00000000000a"
CONSUME = "/api/v1/tokens/consume"
PURCHASE = "/api/v1/tokens/purchase"
BODY = {"userId": USER, "provider": "openai", "tokens": 5}


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


@pytest.mark.parametrize("given", [b"Bearer \xe9", b"Bearer " + b"a" * 8192])
async def test_a_credential_that_no_metadata_can_carry_is_a_401(world: Any, given: bytes) -> None:
    headers = {"Authorization": given}
    response = await world.send("GET", f"/api/v1/tokens/quota?userId={USER}", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    # A public method reads none, so none gets there.
    status = await world.send("GET", "/api/v1/tokens/status", headers=headers)
    assert status.status_code == 200
    assert "authorization" not in world.script.calls[-1].metadata


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
