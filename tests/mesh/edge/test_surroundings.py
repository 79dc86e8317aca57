"""Headers, traces, CORS, metrics, and FastAPI's own routes beside the transcoded ones."""

import uuid
from typing import Any

import pytest
from fastapi import APIRouter, HTTPException
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_FEATURE_DISABLED
from mesh.errors import AppError

pytestmark = pytest.mark.anyio
STATUS = "/api/v1/tokens/status"
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def _router() -> APIRouter:
    router = APIRouter()

    @router.get("/own/{number}")
    async def own(number: int) -> dict[str, int]:
        if number == 0:
            raise AppError(REASON_FEATURE_DISABLED, "off")
        if number == 1:
            raise HTTPException(418, "I'm a teapot", {"X-Tea": "green"})
        if number == 2:
            message = "a secret"
            raise RuntimeError(message)
        return {"number": number}

    @router.post("/own")
    async def take(body: dict[str, int]) -> int:
        return len(body)

    # The same path as a transcoded route, with another verb.
    @router.post(STATUS)
    async def post_status() -> str:
        return "posted"

    return router


@pytest.fixture
def with_router(make_world: Any) -> Any:
    return make_world(routers=(_router(),))


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", STATUS),
        ("GET", "/nowhere"),
        ("DELETE", STATUS),
        ("POST", "/api/v1/tokens/consume"),
        ("GET", "/own/5"),
        ("GET", "/own/x"),
        ("GET", "/own/2"),
        ("PUT", "/own/5"),
        ("GET", "/actuator/health"),
        ("GET", "/openapi.json"),
    ],
)
async def test_every_response_has_the_security_headers(
    with_router: Any, verb: str, path: str
) -> None:
    response = await with_router.send(verb, path)
    assert {name: response.headers.get(name) for name in SECURITY} == SECURITY
    assert uuid.UUID(response.headers["x-correlation-id"])
    assert "strict-transport-security" not in response.headers


async def test_hsts_is_sent_over_tls_only(world: Any) -> None:
    response = await world.send("GET", STATUS, scheme="https")
    assert response.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128])
async def test_a_well_formed_correlation_id_is_kept(world: Any, given: str) -> None:
    response = await world.send("GET", STATUS, headers={"X-Correlation-Id": given})
    assert response.headers["x-correlation-id"] == given
    assert world.script.calls[0].correlation_id == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "é".encode(), "a;b"])
async def test_any_other_correlation_id_is_replaced(world: Any, given: str) -> None:
    response = await world.send("GET", STATUS, headers={"X-Correlation-Id": given})
    assert uuid.UUID(response.headers["x-correlation-id"])


@pytest.mark.parametrize(
    "given",
    [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    ],
)
async def test_a_malformed_traceparent_begins_a_new_trace(world: Any, given: str) -> None:
    await world.send("GET", STATUS, headers={"traceparent": given})
    trace_id = world.script.calls[0].trace_id
    assert len(trace_id) == 32
    assert trace_id != "0af7651916cd43dd8448eb211c80319c"


async def test_a_later_version_of_traceparent_is_honoured(world: Any) -> None:
    given = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more"
    await world.send("GET", STATUS, headers={"traceparent": given})
    call = world.script.calls[0]
    assert call.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert call.traceparent.startswith("00-")
    assert call.traceparent.endswith("-00")


async def test_errors_name_the_caller_s_trace(world: Any) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    response = await world.send("GET", "/nowhere", headers={"traceparent": given})
    assert response.json()["traceId"] == "0af7651916cd43dd8448eb211c80319c"


async def test_cors_is_off_without_origins_and_on_for_those_configured(make_world: Any) -> None:
    origin = {"Origin": "https://app.example"}
    closed = await make_world().send("GET", STATUS, headers=origin)
    assert "access-control-allow-origin" not in closed.headers
    env = {"LEAKY_CORS_ALLOWED_ORIGINS": "https://app.example, https://other.example"}
    world = make_world(env)
    allowed = await world.send("GET", STATUS, headers=origin)
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    foreign = await world.send("GET", STATUS, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers


async def test_cors_preflight_allows_our_headers(make_world: Any) -> None:
    world = make_world({"LEAKY_CORS_ALLOWED_ORIGINS": "https://app.example"})
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key, idempotency-key, content-type",
    }
    response = await world.send("OPTIONS", "/api/v1/tokens/consume", headers=headers)
    assert response.status_code == 200
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_router_s_routes_answer_beside_the_transcoded_ones(with_router: Any) -> None:
    assert (await with_router.send("GET", "/own/5")).json() == {"number": 5}
    assert (await with_router.send("GET", STATUS)).json()["service"] == "token-service"
    assert (await with_router.send("POST", STATUS)).json() == "posted"


@pytest.mark.parametrize(
    ("verb", "path", "status", "reason"),
    [
        ("GET", "/own/0", 503, "FEATURE_DISABLED"),
        ("GET", "/own/1", 418, "INVALID_ARGUMENT"),
        ("GET", "/own/2", 500, "INTERNAL"),
        ("GET", "/own/x", 400, "INVALID_ARGUMENT"),
        ("PUT", "/own/5", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/own/5/6", 404, "PATH_NOT_FOUND"),
        ("GET", "/own/5/", 404, "PATH_NOT_FOUND"),
    ],
)
async def test_errors_of_a_router_have_the_same_shape(
    with_router: Any, verb: str, path: str, status: int, reason: str
) -> None:
    response = await with_router.send(verb, path)
    assert response.status_code == status
    body = response.json()
    assert (body["status"], body["reason"], body["path"]) == (status, reason, path)
    assert {"message", "timestamp", "traceId"} <= body.keys()
    assert "secret" not in response.text


async def test_a_framework_s_headers_survive(with_router: Any) -> None:
    assert (await with_router.send("GET", "/own/1")).headers["x-tea"] == "green"
    assert (await with_router.send("PUT", "/own/5")).headers["allow"] == "GET"
    assert (await with_router.send("GET", "/own/0")).headers["retry-after"] == "1"


async def test_a_wrong_type_in_a_router_names_its_field(with_router: Any) -> None:
    response = await with_router.send("GET", "/own/x")
    assert response.json()["errors"][0]["field"] == "number"


async def test_a_router_reads_no_more_than_one_mebibyte(with_router: Any) -> None:
    async def chunks() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    response = await with_router.send("POST", "/own", content=chunks())
    assert response.status_code == 413
    assert response.json()["reason"] == "BODY_TOO_LARGE"


async def test_what_is_unexpected_is_logged_once_with_its_trace(with_router: Any) -> None:
    with capture_logs() as logs:
        response = await with_router.send("GET", "/own/2")
    (line,) = [line for line in logs if line["event"] == "unexpected error"]
    assert line["trace_id"] == response.json()["traceId"]


def _counted(uri: str, method: str, status: str) -> float:
    labels = {"uri": uri, "method": method, "status": status}
    return REGISTRY.get_sample_value("http_server_requests_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("verb", "path", "labels"),
    [
        (
            "GET",
            "/api/v1/providers/openai/quota",
            ("/api/v1/providers/{provider}/quota", "GET", "200"),
        ),
        ("GET", "/api/v1/analytics/users/x", ("/api/v1/analytics/users/{userId}", "GET", "400")),
        ("GET", "/own/5", ("/own/{number}", "GET", "200")),
        ("GET", "/nowhere/at/all", ("other", "GET", "404")),
        ("GET", "/actuator/health", ("/actuator/health", "GET", "200")),
        ("GET", "/swagger-ui/none", ("/swagger-ui/{name}", "GET", "404")),
        ("BREW", STATUS, ("other", "other", "405")),
        ("GET", "/own/2", ("/own/{number}", "GET", "500")),
    ],
)
async def test_requests_are_counted_by_template(
    with_router: Any, verb: str, path: str, labels: Any
) -> None:
    before = _counted(*labels)
    await with_router.send(verb, path)
    assert _counted(*labels) == before + 1
