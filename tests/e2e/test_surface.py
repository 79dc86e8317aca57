"""What docs/api.md promises of every service and of the edge, asked of real processes."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e import documented
from tests.e2e.matrix import ROUTES, http_service, request_for, rest
from tests.e2e.shape import error_of
from tests.e2e.system import System, until

pytestmark = pytest.mark.e2e
HTTP = ("gateway", "auth", "token", "analytics", "stubs.openai", "stubs.gemini", "stubs.qwen")
PASSWORD = "trombone lantern gravel 7"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
# Reached only on failure: the first event may find a Kafka that has just been started.
LATE_SECONDS = 60
every_http = pytest.mark.parametrize("service", HTTP)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def user(http: httpx.Client, local: System) -> dict[str, Any]:
    """A user that has spent 3 tokens at qwen, when analytics knows of it."""
    name = uuid.uuid4().hex[:16]
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    made = http.post(f"{local.url()}/api/v1/auth/register", json=body)
    assert made.status_code == 201
    shown: dict[str, Any] = made.json()
    assert set(shown) == documented.REGISTERED
    assert (shown["username"], shown["roles"]) == (name, ["USER"])
    spend = {"userId": shown["userId"], "provider": "qwen", "tokens": 3, "prompt": "hello"}
    assert http.post(f"{local.url()}/api/v1/tokens/consume", json=spend).status_code == 200
    usage = f"{local.url()}/api/v1/analytics/users/{shown['userId']}"
    until(lambda: http.get(usage).json().get("totalEvents") == 1, LATE_SECONDS)
    return shown


def get(http: httpx.Client, local: System, service: str, path: str, **query: Any) -> Any:
    answer = http.get(f"{local.url(service)}/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("edge", [True, False], ids=["edge", "own"])
def test_the_public_health_paths(http: httpx.Client, local: System, edge: bool) -> None:  # noqa: FBT001 a parameter
    for service, path, name, keys in (
        ("auth", "auth/health", "auth-server", documented.HEALTH),
        ("token", "tokens/status", "token-service", documented.STATUS),
        ("analytics", "analytics/health", "analytics-service", documented.HEALTH),
    ):
        body = get(http, local, "gateway" if edge else service, path)
        assert set(body) == keys
        assert (body["service"], body["status"]) == (name, "ok")


@pytest.mark.parametrize("service", ["gateway", "auth"])
def test_users_and_keys(
    http: httpx.Client, local: System, user: dict[str, Any], service: str
) -> None:
    root, me = f"{local.url(service)}/api/v1/auth", user["userId"]
    login = {"username": user["username"], "password": PASSWORD}
    signed_in = http.post(f"{root}/login", json=login).json()
    assert set(signed_in) == documented.SIGNED_IN
    made = http.post(f"{root}/api-keys", json={"userId": me, "name": "laptop"})
    key = made.json()
    assert (made.status_code, set(key)) == (201, documented.NEW_KEY)
    assert key["rawKey"] == key["apiKey"]
    assert re.fullmatch(rf"leaky_{me}_[A-Za-z0-9_-]{{20,}}", key["rawKey"])
    assert key["expiresAt"] is None
    listed = http.get(f"{root}/api-keys", params={"userId": me})
    assert documented.keys_of(listed.json()) == documented.KEY
    assert key["rawKey"] not in listed.text
    assert key["rawKey"].startswith(listed.json()[-1]["prefix"])
    holder = http.get(f"{root}/api-keys/validate", headers={"X-Api-Key": key["rawKey"]})
    assert set(holder.json()) == documented.KEY_HOLDER
    end = {"userId": me, "apiKeyId": key["id"]}
    deleted = http.delete(f"{root}/api-keys", params=end)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert http.delete(f"{root}/api-keys", params=end).status_code == 404
    error_of(http.get(f"{root}/api-keys/validate", headers={"X-Api-Key": key["rawKey"]}), 401)


@pytest.mark.parametrize("service", ["gateway", "token"])
def test_tokens(http: httpx.Client, local: System, user: dict[str, Any], service: str) -> None:
    root, me, org = f"{local.url(service)}/api/v1", user["userId"], str(uuid.uuid4())
    mine = {"userId": me, "provider": "qwen"}
    quota = get(http, local, service, "tokens/quota", **mine)
    assert set(quota) == documented.QUOTA
    spent = http.post(f"{root}/tokens/consume", json={**mine, "tokens": 2, "prompt": "hi"})
    body = spent.json()
    assert (spent.status_code, set(body)) == (200, documented.CONSUMED)
    assert body["allowed"]
    assert body["waitSeconds"] == 0
    assert body["providerResponse"].items() >= {"provider": "qwen", "received": "hi"}.items()
    assert set(body["providerResponse"]) >= documented.CHAT
    bucket = "x-tokenbucket" if service == "gateway" else "x-ratelimit"
    told = [spent.headers[f"{bucket}-{name}"] for name in ("limit", "remaining", "used", "reset")]
    assert told == [str(body[name]) for name in ("capacity", "remaining", "used", "waitSeconds")]
    after = get(http, local, service, "tokens/quota", **mine)
    assert after["remainingTokens"] == quota["remainingTokens"] - 2
    limit = get(http, local, service, f"rate-limits/{me}", provider="qwen")
    assert (set(limit), limit["strategy"]) == (documented.RATE_LIMIT, "LEAKY_BUCKET")
    pool = {"orgId": org, "provider": "qwen", "totalTokens": 10}
    made = http.post(f"{root}/tokens/quota/org", json=pool)
    assert (made.status_code, set(made.json())) == (201, documented.ORG_QUOTA)
    assert http.post(f"{root}/tokens/quota/org", json=pool).status_code == 409
    changed = http.put(f"{root}/tokens/quota/org", json={**pool, "totalTokens": 20})
    assert (changed.status_code, changed.json()["totalTokens"]) == (200, 20)
    asked = get(http, local, service, "tokens/quota/org", orgId=org, provider="qwen")
    assert (set(asked), asked["totalTokens"]) == (documented.ORG_QUOTA, 20)
    too_much = {**mine, "orgId": org, "tokens": 21}
    short = error_of(http.post(f"{root}/tokens/consume", json=too_much), 402)
    assert short["message"] == "insufficient token quota"


@pytest.mark.parametrize("service", ["gateway", "token"])
def test_purchases(http: httpx.Client, local: System, user: dict[str, Any], service: str) -> None:
    order = {"userId": user["userId"], "provider": "gemini", "tokens": 7}
    ordered = http.post(f"{local.url(service)}/api/v1/tokens/purchase", json=order)
    assert (ordered.status_code, set(ordered.json())) == (202, documented.ORDERED)
    path = f"tokens/purchase/{ordered.json()['sagaId']}"
    until(lambda: get(http, local, service, path)["status"] == "COMPLETED", LATE_SECONDS)
    purchase = get(http, local, service, path)
    assert set(purchase) == documented.PURCHASE
    assert purchase.items() >= {**order, "orgId": None, "idempotencyKey": None}.items()
    unknown = http.get(f"{local.url(service)}/api/v1/tokens/purchase/{uuid.uuid4()}")
    assert error_of(unknown, 404)["reason"] == "PURCHASE_NOT_FOUND"


@pytest.mark.parametrize("service", ["gateway", "token"])
def test_providers(http: httpx.Client, local: System, service: str) -> None:
    for name, quota, limit in (("qwen", 1000, 10), ("gemini", 500, 5), ("openai", 2000, 20)):
        told = {"provider": name, "defaultQuota": quota, "rateLimit": limit, "enabled": True}
        assert get(http, local, service, f"providers/{name}/quota") == told


@pytest.mark.parametrize("service", ["gateway", "analytics"])
def test_analytics(http: httpx.Client, local: System, user: dict[str, Any], service: str) -> None:
    def ask(path: str, **query: Any) -> Any:
        return get(http, local, service, f"analytics/{path}", **query)

    usage = ask("usage", provider="qwen")
    assert (set(usage), usage["count"]) == (documented.USAGE, len(usage["items"]))
    assert documented.keys_of(usage["items"]) == documented.USAGE_ITEM
    assert set(usage["items"][0]["key"]) == {"provider", "timestamp"}
    assert ask("usage", provider="qwen", limit=1)["count"] == 1
    report = ask("report", provider="qwen", limit=99_999)
    assert (set(report), report["sampleLimit"]) == (documented.REPORT, 5000)
    assert documented.keys_of(report["topUsers"]) == documented.TOP_USER
    assert len(report["topUsers"]) <= 5
    anomalies = ask("anomalies", provider="qwen", baselineWindows=99, thresholdMultiplier=0)
    assert set(anomalies) == documented.ANOMALIES
    assert (anomalies["baselineWindows"], anomalies["threshold"]) == (24, 1)
    assert (anomalies["ratio"], anomalies["anomaly"]) == (None, False)
    shares = ask("providers", windowMinutes=60)
    assert set(shares) == documented.SHARES
    assert documented.keys_of(shares["items"]) == documented.SHARE
    mine = ask(f"users/{user['userId']}")
    assert set(mine) == documented.USER_USAGE
    assert documented.keys_of(mine["providers"]) == documented.USER_PROVIDER
    nobody = ask(f"users/{uuid.uuid4()}")
    assert (nobody["lastEventAt"], nobody["providers"]) == (None, [])
    trends = ask("trends", provider="qwen")
    assert (set(trends), len(trends["points"])) == (documented.TRENDS, 60)
    assert documented.keys_of(trends["points"]) == documented.POINT
    assert len(ask("trends", provider="qwen", buckets=9999)["points"]) <= 500


@pytest.mark.parametrize("provider", ["qwen", "gemini", "openai"])
def test_chat(http: httpx.Client, local: System, provider: str) -> None:
    names = {"qwen": "Qwen", "gemini": "Gemini", "openai": "OpenAI"}
    for service in ("gateway", f"stubs.{provider}"):
        url = f"{local.url(service)}/api/v1/{provider}/chat"
        body = http.post(url, json={"prompt": "hello"}).json()
        assert set(body) == documented.CHAT
        said = (body["provider"], body["received"], body["message"])
        assert said == (provider, "hello", f"Stubbed {names[provider]} response")


@pytest.mark.parametrize("route", ROUTES.values(), ids=lambda route: route.method.name)
def test_a_path_answers_the_same_on_the_edge_and_on_its_service(
    http: httpx.Client, local: System, user: dict[str, Any], route: Any
) -> None:
    names = {"user_id": user["userId"], "provider": "qwen", "saga_id": str(uuid.UUID(int=5))}
    asked = rest(route, request_for(route.method, names))
    roots = (local.url(), local.url(http_service(route.method)))

    def both(**given: Any) -> list[Any]:
        answers = [http.request(route.verb, root + asked.path, **given) for root in roots]
        return [
            (one.status_code, _timeless(one.json() if one.content else None)) for one in answers
        ]

    # Of writes only what is refused can be compared: the first one changes things.
    if route.verb == "GET":
        on_edge, own = both(params=asked.query, headers=asked.headers)
        assert on_edge == own
    on_edge, own = both(json={} if route.fill.body else None)
    assert on_edge == own


def _timeless(body: Any) -> Any:
    if isinstance(body, dict):
        return {
            key: _summed(one) if key == "points" else _timeless(one)
            for key, one in body.items()
            if key != "traceId"
        }
    if isinstance(body, list):
        return [_timeless(one) for one in body]
    text = isinstance(body, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", body)
    return "some time" if text else body


def _summed(points: list[dict[str, Any]]) -> list[int]:
    # They count back from the moment of the question: an event may be in another one's place.
    assert documented.keys_of(points) == documented.POINT
    names = sorted(documented.POINT - {"start"})
    return [len(points), *(sum(int(point[name]) for point in points) for name in names)]


@every_http
def test_every_answer_carries_the_security_headers(
    http: httpx.Client, local: System, service: str
) -> None:
    root = local.url(service)
    big, json_type = b"x" * 1_100_000, {"content-type": "application/json"}
    answers = [
        http.get(f"{root}/actuator/health"),
        http.get(f"{root}/metrics"),
        http.get(f"{root}/nope"),
        http.get(f"{root}/swagger-ui.html"),
        http.get(f"{root}/v3/api-docs"),
        http.get(f"{root}/api/v1/tokens/status"),
        http.put(f"{root}/api/v1/auth/login"),
        http.post(f"{root}/api/v1/auth/login", content=big, headers=json_type),
        http.post(f"{root}/api/v1/qwen/chat", content=big, headers=json_type),
        http.options(f"{root}/api/v1/qwen/chat", headers={"Origin": "http://evil.example"}),
    ]
    for answer in answers:
        assert answer.headers.items() >= documented.SECURITY_HEADERS.items(), answer.url
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        # Over TLS only; and no origin is let in unless it is configured.
        assert "strict-transport-security" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
    page = http.get(f"{root}/swagger-ui/index.html").headers
    assert page.items() >= documented.SECURITY_HEADERS.items()
    assert "'unsafe-eval'" not in page["content-security-policy"]


@every_http
def test_correlation_ids_and_traces(http: httpx.Client, local: System, service: str) -> None:
    for path in ("/actuator/health", "/nope", "/api/v1/qwen/chat"):
        url = local.url(service) + path
        for good in ("abc-123", "a" * 128, str(uuid.uuid4())):
            answer = http.get(url, headers={"X-Correlation-Id": good})
            assert answer.headers["x-correlation-id"] == good
        seen = set()
        for bad in (b"", b"a b", b"a" * 129, b"<script>", b"\xe9", b"a,b"):
            answer = http.get(url, headers={b"X-Correlation-Id": bad})
            seen.add(answer.headers["x-correlation-id"])
        assert len(seen) == 6
        assert all(uuid.UUID(one) for one in seen)
    url = f"{local.url(service)}/nope"
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    assert error_of(http.get(url, headers={"traceparent": parent}), 404)["traceId"] == TRACE
    zeros = f"00-{'0' * 32}-00f067aa0ba902b7-01"
    for bad_parent in ("x", zeros, f"ff-{TRACE}-00f067aa0ba902b7-01", parent.upper()):
        body = error_of(http.get(url, headers={"traceparent": bad_parent}), 404)
        assert body["traceId"] not in (TRACE, "0" * 32)


def test_a_trace_and_a_correlation_id_reach_the_service_behind_the_edge(
    http: httpx.Client, local: System
) -> None:
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Correlation-Id": "story-7"}
    query = {"userId": str(uuid.uuid4()), "provider": "qwen"}
    answer = http.get(f"{local.url()}/api/v1/tokens/quota", params=query, headers=headers)
    body = error_of(answer, 404)
    assert (body["reason"], body["traceId"]) == ("QUOTA_NOT_FOUND", TRACE)
    assert answer.headers["x-correlation-id"] == "story-7"
