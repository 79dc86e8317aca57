"""REST in, real handlers behind: what is asked and answered."""

from typing import Any

import pytest

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


async def test_of_the_headers_only_four_are_handed_on(world: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "Authorization": "Bearer x",
        "X-Api-Key": "key",
        "X-Correlation-Id": "c-1",
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        "x-user-id": "root",
        "x_internal_roles": "ADMIN",
        "x-leaky-service": "gateway",
        "x-internal-client-address": "6.6.6.6",
        "Cookie": "a=b",
    }
    await world.send("GET", f"/api/v1/tokens/quota?userId={USER}&provider=a", headers=headers)
    metadata = dict(world.script.calls[0].metadata)
    handed = metadata.pop("traceparent")
    assert metadata.pop("x-internal-client-address") == "192.0.2.7"
    assert metadata == {"authorization": "Bearer x", "x-api-key": "key", "x-correlation-id": "c-1"}
    assert handed.startswith(f"00-{trace}-")
    assert handed.endswith("-01")
    assert "b7ad6b7169203331" not in handed
