"""What operators see: documentation, health, metrics, fallbacks, reflection."""

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
from tests.e2e import documented, series
from tests.e2e.matrix import GRPC_SERVICES, METHODS, ROUTES, http_service
from tests.e2e.shape import error_of
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
HTTP = ("gateway", "auth", "token", "analytics", "stubs.openai", "stubs.gemini", "stubs.qwen")
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
every_http = pytest.mark.parametrize("service", HTTP)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


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


# What each process must show, beside what all do.
SHOWN = {
    "gateway": (
        "gateway_api_key_validation",
        "gateway_api_key_cache",
        "gateway_rate_limit",
        "gateway_fallback",
    ),
    "auth": ("auth_login", "auth_register", "auth_signing_key_expiry_timestamp_seconds"),
    "token": (
        "token_consume",
        "token_quota_lookup",
        "token_purchase",
        "token_pools_low",
        "token_pools_overdrawn",
        "saga_unfinished",
        "saga_stale",
        "saga_steps",
        "commit_queue_depth",
        "commit_batch_size",
        "sql_pool_connections",
        "reconcile_differences",
        "provider_call_seconds",
    ),
    "analytics": ("analytics_usage_query", "analytics_report_query", "analytics_anomaly_query"),
    "stubs.openai": ("stubs_answers", "stubs_payment_calls"),
}


@pytest.fixture(scope="module")
def told(http: httpx.Client, secure: System) -> list[str]:
    """What nobody may find in a metric, once it has been all over the system."""
    name, password = f"m-{uuid.uuid4().hex}", uuid.uuid4().hex
    edge, person = secure.url(), {"username": name, "password": password}
    new = {**person, "email": f"{name}@example.com"}
    user = http.post(f"{edge}/api/v1/auth/register", json=new).json()
    bearer = {"Authorization": f"Bearer {user['token']}"}
    http.post(f"{edge}/api/v1/auth/login", json=person)
    http.post(f"{edge}/api/v1/auth/login", json={**person, "password": name})
    made = {"userId": user["userId"], "name": name}
    key = http.post(f"{edge}/api/v1/auth/api-keys", json=made, headers=bearer).json()["rawKey"]
    bad = f"{key[:-4]}aaaa"
    for one in (key, key, bad):
        for provider in (*series.PROVIDERS, name):
            spend = {"userId": user["userId"], "provider": provider, "tokens": 1, "prompt": name}
            consume = f"{edge}/api/v1/tokens/consume"
            http.post(consume, json=spend, headers={"X-Api-Key": one})
    order = {"userId": user["userId"], "provider": "openai", "tokens": 7}
    http.post(f"{edge}/api/v1/tokens/purchase", json=order, headers=bearer)
    asked = {"provider": name, "userId": user["userId"]}
    for path in ("tokens/quota", "analytics/usage", "analytics/report", "analytics/anomalies"):
        http.get(f"{edge}/api/v1/{path}", params=asked, headers=bearer)
    for path in (f"/{name}", f"/api/v1/{name}/chat", f"/api/v1/tokens/purchase/{uuid.uuid4()}"):
        http.request(name.upper(), edge + path, headers=bearer)
        http.get(edge + path, headers=bearer)
    with grpc.insecure_channel(f"127.0.0.1:{secure.ports['token.health-port']}") as channel:
        method: Any = channel.unary_unary(f"/leaky.token.v1.{name}/{name}")
        with pytest.raises(grpc.RpcError):
            method(b"", timeout=10)
    return [name, user["userId"], key, bad, user["token"], password]


@pytest.mark.parametrize("service", SHOWN)
def test_every_sample_has_labels_of_declared_sets_alone(
    http: httpx.Client, secure: System, told: list[str], service: str
) -> None:
    text = http.get(f"{secure.url(service)}/metrics").text
    assert list(series.strangers(text)) == []
    assert list(series.missing(text)) == []
    for secret in told:
        assert secret.lower() not in text.lower()
    names = {family.name for family in series.families(text)}
    assert names >= {*SHOWN[service], "event_loop_lag_seconds", "http_server_requests_seconds"}


def test_a_label_that_nobody_has_declared_would_be_seen() -> None:
    sample = 'token_consume_total{provider="%s",outcome="allowed"} 1.0\n'
    text = "# TYPE token_consume_total counter\n" + sample
    assert list(series.strangers(text % "qwen")) == []
    assert len(list(series.strangers(text % uuid.uuid4()))) == 1
    assert len(list(series.missing(text % "qwen"))) == 4 * 4 - 1
    unknown = "# TYPE made_up gauge\n" + 'made_up{user="1"} 1.0\n'
    assert len(list(series.strangers(unknown))) == 1
    path = 'http_server_requests_seconds_count{uri="/%s",method="GET",status="200"} 1.0\n'
    for uri, wrong in (("api/v1/{provider}/chat", 0), (uuid.uuid4(), 1), ("api/v1/X", 1)):
        typed = "# TYPE http_server_requests_seconds histogram\n" + path % uri
        assert len(list(series.strangers(typed))) == wrong


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
