"""The edge as it is put together, over HTTP, with the real svc_auth behind it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from leaky.common.v1 import reason_pb2
from leaky.token.v1.consume_service_pb2 import ConsumeResponse
from leaky.token.v1.quota_service_pb2 import GetStatusResponse
from mesh.errors import AppError
from mesh.rpc.method import Method
from mesh.settings import Live
from mesh.settings.source import SettingsError
from svc_auth.settings import AuthSettings
from svc_auth.wiring import SERVICE as AUTH
from svc_gateway.settings import GatewaySettings
from svc_gateway.wiring import SERVICE
from tests.svc_gateway.conftest import HandClock
from tests.wired import Wired, wired

pytestmark = pytest.mark.anyio
ALICE = {"username": "alice", "email": "alice@example.com", "password": "correct horse"}
SPEND = {"userId": str(UUID(int=7)), "provider": "openai", "tokens": 5}
DECIDED: dict[str, Any] = {"capacity": 1000, "used": 5, "remaining": 995}
WINDOW = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


@dataclass
class Behind:
    """Stands where another service's channel ends: answers as told, and remembers metadata."""

    outcome: Any = field(default_factory=GetStatusResponse)
    heard: list[Mapping[str, str]] = field(default_factory=list)

    async def unary(
        self,
        _method: Method[Any, Any],
        _request: Any,
        *,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 the channel's own signature
        metadata: Mapping[str, str] | None = None,
    ) -> Any:
        self.heard.append(metadata or {})
        if isinstance(self.outcome, AppError):
            raise self.outcome
        return self.outcome

    def stream(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


@dataclass
class House:
    edge: Wired
    auth: Wired
    behind: Behind
    settings: Live[GatewaySettings]

    def client(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        return self.edge.client(8080, address)

    async def key(self) -> str:
        async with self.auth.client(8081) as client:
            made = (await client.post("/api/v1/auth/register", json=ALICE)).json()
            wanted = {"userId": made["userId"], "name": "ci"}
            key = await client.post("/api/v1/auth/api-keys", json=wanted)
            return str(key.json()["rawKey"])


@pytest.fixture
async def house(tmp_path: Path, clock: HandClock) -> AsyncIterator[House]:
    env = {"LEAKY_DATA": str(tmp_path)}
    behind = Behind()
    settings = Live.read(GatewaySettings, env)
    async with wired(AUTH, Live.read(AuthSettings, env), others={}, clock=clock, work=True) as auth:
        others = dict.fromkeys(("token", "analytics", "stubs"), behind) | {"auth": auth.channel}
        async with wired(SERVICE, settings, others=others, clock=clock) as edge:
            yield House(edge=edge, auth=auth, behind=behind, settings=settings)


async def test_a_secret_that_is_too_short_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "mesh.secret").write_text("hunter2\n")
    settings = Live.read(GatewaySettings, {"LEAKY_DATA": str(tmp_path)})
    with pytest.raises(SettingsError, match=r"mesh\.secret must have at least 16") as refused:
        async with wired(SERVICE, settings, others={"auth": Behind()}):
            pytest.fail("it started")
    assert "hunter2" not in str(refused.value)


async def test_every_limited_response_says_how_the_window_stands(house: House) -> None:
    async with house.client() as client:
        for left in (199, 198):
            answer = await client.get("/api/v1/tokens/status")
            assert answer.status_code == 200
            assert [answer.headers[name] for name in WINDOW[:2]] == ["200", str(left)]
            assert answer.headers["x-ratelimit-reset"] == "1700000040"
            assert answer.headers["ratelimit"] == f'"/api/v1/tokens";r={left};t=40'
            assert answer.headers["ratelimit-policy"] == '"/api/v1/tokens";q=200;w=60'
        refused = await client.post("/api/v1/tokens/consume", content=b"{")
        assert refused.status_code == 400
        assert refused.headers["x-ratelimit-remaining"] == "197"


async def test_past_the_window_is_429_with_the_documented_body(house: House) -> None:
    house.settings.apply({"gateway.rate-limit.routes./api/v1/tokens": "2"})
    async with house.client() as client:
        answers = [await client.get("/api/v1/tokens/status") for _ in range(3)]
        assert [answer.status_code for answer in answers[:2]] == [200, 200]
        answer = answers[-1]
        assert answer.status_code == 429
        body = answer.json()
        assert set(body) == {
            "message",
            "timestamp",
            "path",
            "status",
            "reason",
            "traceId",
            "retryAfterSeconds",
        }
        assert (body["message"], body["reason"]) == ("rate limit exceeded", "RATE_LIMIT_EXCEEDED")
        assert (answer.headers["retry-after"], body["retryAfterSeconds"]) == ("40", 40)
        assert answer.headers["x-ratelimit-remaining"] == "0"
    heard = len(house.behind.heard)
    async with house.client("192.0.2.55") as elsewhere:
        assert (await elsewhere.get("/api/v1/tokens/status")).status_code == 200
    assert len(house.behind.heard) == heard + 1


async def test_a_key_reaches_the_services_as_a_bearer_only(house: House) -> None:
    key = await house.key()
    house.behind.outcome = ConsumeResponse(allowed=True, provider_response=b"{}", **DECIDED)
    async with house.client() as client:
        sent = {"X-Api-Key": key, "X-User-Id": "admin", "X-Internal-Role": "ADMIN"}
        for _ in range(2):
            answer = await client.post("/api/v1/tokens/consume", json=SPEND, headers=sent)
            assert answer.status_code == 200
    first, second = house.behind.heard
    assert set(first) == {"authorization", "traceparent", "x-correlation-id"}
    assert key not in first["authorization"]
    # Exchanged once and remembered.
    assert first["authorization"] == second["authorization"]


async def test_on_the_edge_the_bucket_has_headers_of_its_own(house: House) -> None:
    house.behind.outcome = ConsumeResponse(allowed=True, provider_response=b"{}", **DECIDED)
    async with house.client() as client:
        answer = await client.post("/api/v1/tokens/consume", json=SPEND)
    headers = {name: value for name, value in answer.headers.items() if "tokenbucket" in name}
    assert headers == {
        "x-tokenbucket-limit": "1000",
        "x-tokenbucket-remaining": "995",
        "x-tokenbucket-used": "5",
        "x-tokenbucket-reset": "0",
    }
    assert [answer.headers[name] for name in WINDOW[:2]] == ["200", "199"]
    assert "x-ratelimit-used" not in answer.headers


async def test_a_bucket_s_429_keeps_its_body_on_the_edge(house: House) -> None:
    full = ConsumeResponse(allowed=False, capacity=1000, used=999, remaining=1, wait_seconds=4)
    house.behind.outcome = AppError(
        reason_pb2.REASON_RATE_LIMITED, "rate limited", details=(full,), retry_after=4
    )
    async with house.client() as client:
        answer = await client.post("/api/v1/tokens/consume", json=SPEND)
    assert answer.status_code == 429
    assert (answer.json()["waitSeconds"], answer.json()["providerResponse"]) == (4, {})
    assert answer.headers["retry-after"] == "4"
    assert answer.headers["x-tokenbucket-reset"] == "4"
    assert answer.headers["x-ratelimit-limit"] == "200"


@pytest.mark.parametrize("credential", [{"X-Api-Key": "leaky_x_y"}, {"Authorization": "Bearer x"}])
async def test_a_bad_credential_is_401_counted_and_reaches_nobody(
    house: House, credential: dict[str, str]
) -> None:
    async with house.client() as client:
        answer = await client.post("/api/v1/tokens/consume", json=SPEND, headers=credential)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-ratelimit-remaining"] == "199"
    assert house.behind.heard == []


@pytest.mark.parametrize(
    ("verb", "path", "service"),
    [
        ("GET", "/api/v1/tokens/status", "token-service"),
        ("GET", "/api/v1/analytics/health", "analytics-service"),
        ("POST", "/api/v1/gemini/chat", "gemini-stub"),
        ("POST", "/api/v1/openai/chat", "openai-stub"),
    ],
)
@pytest.mark.parametrize("reason", [reason_pb2.REASON_UNAVAILABLE, reason_pb2.REASON_CIRCUIT_OPEN])
async def test_a_service_that_is_away_is_the_documented_fallback(
    house: House, verb: str, path: str, service: str, reason: Any
) -> None:
    house.behind.outcome = AppError(reason, "the address and port of something internal")
    async with house.client() as client:
        answer = await client.request(verb, path, json={"prompt": "x"} if verb == "POST" else None)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert {**answer.json(), "timestamp": None} == {
        "service": service,
        "status": "unavailable",
        "message": "Circuit breaker open",
        "timestamp": None,
    }


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
async def test_fallbacks_answer_any_method(house: House, verb: str) -> None:
    async with house.client() as client:
        for name in ("auth-server", "token-service", "analytics-service", "qwen-stub"):
            answer = await client.request(verb, f"/fallback/{name}")
            assert answer.status_code == 503
            assert set(answer.json()) == {"service", "status", "message", "timestamp"}
            assert answer.json()["service"] == name
            assert answer.headers["retry-after"] == "1"
        unknown = await client.request(verb, "/fallback/payment-service")
        assert (unknown.status_code, unknown.json()["reason"]) == (404, "PATH_NOT_FOUND")


async def test_what_reaches_no_service_is_not_limited(house: House) -> None:
    async with house.client() as client:
        for path in ("/nothing/here", "/actuator/health", "/v3/api-docs", "/fallback/qwen-stub"):
            answer = await client.get(path)
            assert "x-ratelimit-limit" not in answer.headers


async def test_every_service_is_documented_and_nothing_internal_is_served(house: House) -> None:
    async with house.client() as client:
        paths = set((await client.get("/v3/api-docs")).json()["paths"])
    documented = {
        "/api/v1/auth/login",
        "/api/v1/tokens/consume",
        "/api/v1/tokens/purchase/{sagaId}",
        "/api/v1/providers/{provider}/quota",
        "/api/v1/rate-limits/{userId}",
        "/api/v1/analytics/usage",
        "/api/v1/{provider}/chat",
        "/api/v1/orgs/{orgId}/members/{userId}",
    }
    assert documented <= paths
    assert not [path for path in paths if not path.startswith("/api/v1/") and "oauth2" not in path]
