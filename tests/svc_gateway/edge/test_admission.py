"""Who is counted as whom, and what is handed on; over real counters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from leaky.auth.v1 import api_key_service_pb2, auth_service_pb2
from leaky.common.v1.reason_pb2 import (
    REASON_RATE_LIMIT_EXCEEDED,
    REASON_UNAUTHENTICATED,
    REASON_UNAVAILABLE,
)
from mesh.edge.request import EdgeRequest
from mesh.edge.trace import Trace
from mesh.errors import AppError
from mesh.identity.principal import NOBODY, Principal
from mesh.identity.refusals import invalid_api_key
from mesh.rpc.method import Method, methods_of
from mesh.settings import Live
from svc_gateway.edge.admission import Admission
from svc_gateway.limits import LiveRateLimits
from svc_gateway.settings import GatewaySettings
from svc_gateway.stores.windows_memory import MemoryWindows
from svc_gateway.usecases.limit_request import LimitRequest
from tests.svc_gateway.conftest import HandClock

pytestmark = pytest.mark.anyio
ALICE = Principal(user_id="alice", token="token of alice")
KEYED = Principal(user_id="alice", api_key_id="k1", token="token of k1")
OTHER_KEY = Principal(user_id="alice", api_key_id="k2", token="token of k2")


def method(file: Any, service: str, name: str) -> Method[Any, Any]:
    found = methods_of(file.DESCRIPTOR.services_by_name[service])
    return next(one for one in found if one.path.endswith(f"/{name}"))


LIST_KEYS = method(api_key_service_pb2, "ApiKeyService", "ListApiKeys")
LOGIN = method(auth_service_pb2, "AuthService", "Login")


@dataclass
class Known:
    """Authenticates the credentials that it knows, as svc_auth would."""

    principals: Mapping[str, Principal]
    asked: list[dict[str, str]] = field(default_factory=list)
    away: bool = False

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        self.asked.append(dict(metadata))
        credential = metadata.get("authorization") or metadata.get("x-api-key")
        if credential is None:
            return NOBODY
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "svc_auth is away")
        if credential not in self.principals:
            raise invalid_api_key()
        return self.principals[credential]


@dataclass
class Edge:
    admission: Admission
    known: Known
    settings: Live[GatewaySettings]

    async def ask(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        address: str = "192.0.2.1",
        rpc: Method[Any, Any] = LIST_KEYS,
        path: str = "/api/v1/auth/api-keys",
    ) -> EdgeRequest:
        headers = headers or {}
        sent = {name: headers[name] for name in ("authorization", "x-api-key") if name in headers}
        request = EdgeRequest(
            rpc=rpc,
            method="GET",
            path=path,
            query="",
            headers=headers,
            client=address,
            trace=Trace(trace_id="t", correlation_id="c", traceparent="p"),
            metadata=sent,
        )
        await self.admission(request)
        return request

    async def used(self, headers: Mapping[str, str] | None = None, **how: Any) -> int:
        """How many requests of that caller have been counted, this one included."""
        request = await self.ask(headers, **how)
        return 120 - int(dict(request.response_headers)[b"x-ratelimit-remaining"])


def edge_with(data: Path, clock: HandClock, **env: str) -> Edge:
    settings = Live.read(GatewaySettings, {"LEAKY_DATA": str(data), **env})
    known = Known({"Bearer a": ALICE, "key-1": KEYED, "key-2": OTHER_KEY})
    limit = LimitRequest(
        windows=MemoryWindows(),
        limit_of=LiveRateLimits(settings),
        fail_open=lambda: settings.current.gateway.rate_limit.fail_open,
        clock=clock,
    )
    admission = Admission(settings=settings, authenticator=known, limit=limit)
    return Edge(admission=admission, known=known, settings=settings)


@pytest.fixture
def edge(tmp_path: Path, clock: HandClock) -> Edge:
    return edge_with(tmp_path, clock)


async def test_each_key_and_each_user_has_a_window_wherever_the_requests_come_from(
    edge: Edge,
) -> None:
    key = {"x-api-key": "key-1"}
    assert await edge.used(key) == 1
    assert await edge.used(key, address="192.0.2.99") == 2
    assert await edge.used({"x-api-key": "key-2"}) == 1
    assert await edge.used({"authorization": "Bearer a"}) == 1
    assert await edge.used() == 1


async def test_a_key_is_replaced_by_the_token_that_it_was_exchanged_for(edge: Edge) -> None:
    request = await edge.ask({"x-api-key": "key-1"})
    assert request.metadata == {"authorization": "Bearer token of k1"}
    request = await edge.ask({"authorization": "Bearer a", "x-api-key": "key-1"})
    assert request.metadata == {"authorization": "Bearer token of alice"}


async def test_an_invented_key_is_401_counts_on_its_address_and_ends_in_429(edge: Edge) -> None:
    assert await edge.used() == 1
    for number in range(119):
        with pytest.raises(AppError) as refused:
            await edge.ask({"x-api-key": f"invented-{number}"})
        assert refused.value.outcome.http_status == 401
    with pytest.raises(AppError) as limited:
        await edge.ask({"x-api-key": "invented once more"})
    assert limited.value.reason == REASON_RATE_LIMIT_EXCEEDED
    # From the same address a real key is still its own caller.
    assert await edge.used({"x-api-key": "key-1"}) == 1


async def test_a_credential_that_cannot_be_checked_is_503_and_counted(edge: Edge) -> None:
    edge.known.away = True
    with pytest.raises(AppError) as refused:
        await edge.ask({"x-api-key": "key-1"})
    assert refused.value.outcome.http_status == 503
    assert await edge.used() == 2


async def test_the_window_over_all_is_full_again_when_the_next_begins(
    edge: Edge, clock: HandClock
) -> None:
    for _ in range(120):
        await edge.ask()
    with pytest.raises(AppError) as limited:
        await edge.ask()
    assert limited.value.retry_after is not None
    clock.now += int(limited.value.retry_after * 1_000_000)
    assert await edge.used() == 1


async def test_public_methods_read_no_credential_and_count_on_the_address(edge: Edge) -> None:
    stale = {"authorization": "Bearer long gone"}
    assert await edge.used(stale, rpc=LOGIN, path="/api/v1/auth/login") == 1
    assert edge.known.asked == []
    assert await edge.used() == 2


async def test_addresses_of_one_network_count_together(edge: Edge) -> None:
    assert await edge.used(address="2001:db8:1:2::1") == 1
    assert await edge.used(address="2001:db8:1:2::2") == 2
    assert await edge.used(address="2001:db8:1:3::1") == 1
    assert await edge.used(address="192.0.2.2") == 1


@pytest.mark.parametrize(("strategy", "counted"), [("AUTO", 1), ("USER", 2), ("IP", 3)])
async def test_the_key_strategy_says_whose_requests_count_together(
    tmp_path: Path, clock: HandClock, strategy: str, counted: int
) -> None:
    edge = edge_with(tmp_path, clock, LEAKY_GATEWAY_RATE_LIMIT_KEY_STRATEGY=strategy)
    await edge.ask({"x-forwarded-for": "198.51.100.1"})
    await edge.ask({"x-api-key": "key-1"})
    assert await edge.used({"x-api-key": "key-2"}) == counted


async def test_with_validation_off_a_key_passes_on_unread(edge: Edge) -> None:
    edge.settings.apply({"feature.flags.gateway.api-key-validation": "false"})
    request = await edge.ask({"x-api-key": "never checked here"})
    assert request.metadata == {"x-api-key": "never checked here"}
    assert all("x-api-key" not in asked for asked in edge.known.asked)
    # Unverified, so it counts on the address.
    assert await edge.used() == 2
    request = await edge.ask({"authorization": "Bearer a", "x-api-key": "k"})
    assert request.metadata == {"authorization": "Bearer token of alice"}


async def test_a_key_header_of_another_name_is_the_only_one(
    tmp_path: Path, clock: HandClock
) -> None:
    edge = edge_with(tmp_path, clock, LEAKY_GATEWAY_API_KEY_HEADER="X-Company-Key")
    request = await edge.ask({"x-company-key": "key-1"})
    assert request.metadata == {"authorization": "Bearer token of k1"}
    request = await edge.ask({"x-api-key": "key-1"})
    assert request.metadata == {}
    # What cannot be a key is counted, as a wrong one is.
    before = await edge.used()
    with pytest.raises(AppError) as refused:
        await edge.ask({"x-company-key": "k\N{EURO SIGN}"})
    assert refused.value.reason == REASON_UNAUTHENTICATED
    assert await edge.used() == before + 2


async def test_whitelisted_paths_and_a_switched_off_limit_carry_no_headers(edge: Edge) -> None:
    edge.settings.apply({"gateway.rate-limit.whitelist-paths": "/api/v1/auth"})
    assert (await edge.ask()).response_headers == []
    edge.settings.apply({"feature.flags.gateway.rate-limiting": "false"})
    assert (await edge.ask(path="/api/v1/tokens/quota")).response_headers == []
