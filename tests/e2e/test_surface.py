"""What CONTRACT.md promises of every service and of the edge, asked of real processes."""

import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from leaky.token.v1.quota_service_pb2 import GetStatusRequest
from svc_gateway.routing import service_of
from tests.e2e import documented
from tests.e2e.matrix import GRPC_SERVICES, METHODS, ROUTES, http_service, request_for, rest
from tests.e2e.shape import error_of
from tests.e2e.system import System, until

pytestmark = pytest.mark.e2e
HTTP = ("gateway", "auth", "token", "analytics", "stubs.openai", "stubs.gemini", "stubs.qwen")
PASSWORD = "trombone lantern gravel 7"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
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
    until(lambda: http.get(usage).json()["totalEvents"] == 1, 5)
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
    until(lambda: get(http, local, service, path)["status"] == "COMPLETED", 10)
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
        return {key: _timeless(one) for key, one in body.items() if key != "traceId"}
    if isinstance(body, list):
        return [_timeless(one) for one in body]
    text = isinstance(body, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", body)
    return "some time" if text else body


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


@every_http
def test_the_documents_are_openapi_and_hold_every_documented_path(
    http: httpx.Client, local: System, service: str
) -> None:
    document = http.get(f"{local.url(service)}/v3/api-docs").json()
    assert document == http.get(f"{local.url(service)}/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    assert set(document["info"]) >= {"title", "version"}
    for reference in _references(document):
        assert _resolves(document, reference), reference
    operations = [
        (path, verb, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids)
    for path, verb, operation in operations:
        assert operation["responses"], (path, verb)
        given = operation.get("parameters", [])
        named = {one["name"] for one in given if one["in"] == "path" and one["required"]}
        assert named == set(re.findall(r"{(\w+)}", path)), path
        for scheme in operation.get("security", ()):
            assert set(scheme) <= set(document["components"]["securitySchemes"])
    for route in ROUTES.values():
        if service in ("gateway", http_service(route.method)):
            operation = document["paths"][route.uri][route.verb.lower()]
            assert str(route.answer.status) in operation["responses"]
            assert ("requestBody" in operation) == bool(route.fill.body)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _resolves(document: Any, reference: str) -> bool:
    root, *steps = reference.split("/")
    for step in steps:
        if step not in document:
            return False
        document = document[step]
    return root == "#"


@every_http
def test_the_viewer_loads_with_all_its_files_from_here(
    http: httpx.Client, local: System, service: str
) -> None:
    root = local.url(service)
    page = http.get(f"{root}/swagger-ui.html", follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/swagger-ui/index.html")
    assert page.headers["content-type"].startswith("text/html")
    assert http.get(f"{root}/docs").status_code == 200
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) >= 5
    for file in files:
        assert file.startswith("/swagger-ui/")
        loaded = http.get(urljoin(str(page.url), file))
        assert loaded.status_code == 200, file
        kind = {"js": "javascript", "css": "text/css", "png": "image/png"}[file.rsplit(".", 1)[1]]
        assert kind in loaded.headers["content-type"]
    script = http.get(f"{root}/swagger-ui/swagger-initializer.js").text
    described = re.findall(r'url: "([^"]+)"', script)
    assert http.get(root + described[0]).json()["paths"]


@every_http
def test_health_information_and_metrics(http: httpx.Client, local: System, service: str) -> None:
    root, stranger = local.url(service), uuid.uuid4().hex
    for path in ("health", "health/liveness", "health/readiness"):
        answer = http.get(f"{root}/actuator/{path}")
        assert (answer.status_code, answer.json()["status"]) == (200, "UP")
    assert http.get(f"{root}/actuator/info").json()["app"]["version"]
    http.get(f"{root}/{stranger}")
    http.post(f"{root}/api/v1/{stranger}/chat", json={"prompt": "x"})
    http.get(f"{root}/api/v1/rate-limits/{uuid.UUID(stranger)}", params={"provider": "qwen"})
    texts = [http.get(root + path).text for path in ("/metrics", "/actuator/prometheus")]
    for text in texts:
        families = {family.name for family in text_string_to_metric_families(text)}
        assert "http_server_requests_seconds" in families
        # What callers make up is no label.
        assert stranger not in text
        assert str(uuid.UUID(stranger)) not in text


@pytest.mark.parametrize("name", documented.FALLBACKS)
def test_fallbacks_answer_every_method(http: httpx.Client, local: System, name: str) -> None:
    for verb in VERBS:
        answer = http.request(verb, f"{local.url()}/fallback/{name}")
        assert (answer.status_code, set(answer.json())) == (503, documented.FALLBACK)
        told = (answer.json()["service"], answer.json()["status"], answer.json()["message"])
        assert told == (name, "unavailable", "Circuit breaker open")
        assert int(answer.headers["retry-after"]) >= 1
    assert http.head(f"{local.url()}/fallback/{name}").status_code == 503
    error_of(http.get(f"{local.url()}/fallback/{name}x"), 404)


@pytest.mark.parametrize("path", ["auth/health", "tokens/status", "analytics/health"])
def test_head_is_get_without_the_body(http: httpx.Client, local: System, path: str) -> None:
    url = f"{local.url()}/api/v1/{path}"
    head, whole = http.head(url), http.get(url)
    assert (head.status_code, head.content) == (200, b"")
    assert set(head.headers) == set(whole.headers)


def test_public_keys_are_public_halves(http: httpx.Client, local: System) -> None:
    keys = http.get(f"{local.url('auth')}/oauth2/jwks").json()["keys"]
    assert {key["alg"] for key in keys} == {"RS256", "ES256"}
    for key in keys:
        assert set(key) <= {"kty", "kid", "alg", "use", "n", "e", "crv", "x", "y"}


def _symbols(target: str) -> set[str]:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.insecure_channel(target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        listed = next(stub.ServerReflectionInfo(iter([request]), timeout=10))
        names = {service.name for service in listed.list_services_response.service}
        for name in names:
            asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
            answer = next(stub.ServerReflectionInfo(iter([asked]), timeout=10))
            assert answer.file_descriptor_response.file_descriptor_proto, name
    return names


@pytest.mark.parametrize("service", ["gateway", *GRPC_SERVICES])
def test_grpc_reflection_names_all_that_is_served_and_health_knows_each(
    local: System, service: str
) -> None:
    target = local.target(service)
    ours = {method.service for method in METHODS if service_of(method) == service}
    names = _symbols(target)
    assert {name for name in names if name.startswith("leaky.")} == ours
    with grpc.insecure_channel(target) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        for name in ("", *names):
            request = health_pb2.HealthCheckRequest(service=name)
            assert check(request, timeout=10).status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("service", ["gateway", *GRPC_SERVICES])
def test_in_secure_a_port_of_its_own_serves_health_and_reflection_only(
    secure: System, service: str
) -> None:
    target = f"127.0.0.1:{secure.ports[f'{service}.health-port']}"
    assert _symbols(target) >= {"grpc.health.v1.Health"}
    with grpc.insecure_channel(target) as channel:
        request = health_pb2.HealthCheckRequest()
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        status: Any = channel.unary_unary("/leaky.token.v1.QuotaService/GetStatus")
        with pytest.raises(grpc.RpcError) as refused:
            status(GetStatusRequest().SerializeToString(), timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
