"""Limits as they are by default, and settings that are changed while everything runs."""

import statistics
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.e2e import documented
from tests.e2e.conftest import Made
from tests.e2e.shape import error_of
from tests.e2e.system import System, until

pytestmark = pytest.mark.e2e
YEAR = 365 * 86_400
# What is promised of a change; and what is waited for one, where that is not the question.
SECONDS, LATE_SECONDS = 2.0, 30
FLAGS = "feature.flags"


@pytest.fixture(scope="module")
def tuned(systems: Made, tmp_path_factory: pytest.TempPathFactory) -> System:
    """Default capacities, in a window whose end hardly any run meets; buckets hardly leak."""
    env = {
        "LEAKY_GATEWAY_RATE_LIMIT_WINDOW": "365d",
        "LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND": "0.001",
    }
    return systems(tmp_path_factory.mktemp("tuned"), env).start()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


def key_of_somebody(http: httpx.Client, system: System) -> Mapping[str, str]:
    body = {"userId": str(uuid.uuid4()), "name": "k"}
    made = http.post(f"{system.url('auth')}/api/v1/auth/api-keys", json=body)
    return {"X-Api-Key": made.json()["rawKey"]}


def consume(http: httpx.Client, system: System, **changed: Any) -> httpx.Response:
    """On the service's own port, where the edge's window does not count."""
    body = {"userId": str(uuid.uuid4()), "provider": "openai", "tokens": 1, **changed}
    return http.post(f"{system.url('token')}/api/v1/tokens/consume", json=body)


@pytest.fixture(scope="module")
def switched(http: httpx.Client, tuned: System) -> System:
    """Everything that can be switched off is off, by the command."""
    values = {
        f"{FLAGS}.gateway.rate-limiting": "false",
        f"{FLAGS}.token-service.saga-purchases": "false",
        f"{FLAGS}.token-service.quota-enforcement": "false",
        "providers.openai.enabled": "false",
    }
    for name, value in values.items():
        put = tuned.leaky("config", "set", name, value)
        assert put.returncode == 0, put.stderr
    path = "/api/v1/providers/openai/quota"
    until(lambda: not http.get(tuned.url("token") + path).json()["enabled"], LATE_SECONDS)
    until(lambda: "ratelimit" not in http.get(tuned.url() + path).headers, LATE_SECONDS)
    return tuned


@pytest.mark.parametrize(
    ("path", "capacity"), [("/api/v1/providers/qwen/quota", 120), ("/api/v1/tokens/quota", 200)]
)
def test_one_request_more_than_the_capacity_of_a_window_is_refused(
    http: httpx.Client, tuned: System, path: str, capacity: int
) -> None:
    caller, url = key_of_somebody(http, tuned), tuned.url() + path
    answers = [http.get(url, headers=caller) for _ in range(capacity)]
    assert 429 not in {answer.status_code for answer in answers}
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
    assert left == list(range(capacity - 1, -1, -1))
    asked = time.time()
    refused = http.get(url, headers=caller)
    answered = time.time()
    body = refused.json()
    seconds = body.pop("retryAfterSeconds")
    assert 1 <= seconds <= YEAR
    assert (refused.status_code, body["message"]) == (429, "rate limit exceeded")
    assert (body["reason"], body["status"]) == ("RATE_LIMIT_EXCEEDED", 429)
    assert int(refused.headers["retry-after"]) == seconds
    # Both are rounded to seconds.
    assert asked - 2 < int(refused.headers["x-ratelimit-reset"]) - seconds < answered + 2
    name = '"/api/v1/tokens"' if capacity == 200 else '"default"'
    for answer in (*answers, refused):
        assert answer.headers["x-ratelimit-limit"] == str(capacity)
        assert answer.headers["ratelimit-policy"] == f"{name};q={capacity};w={YEAR}"
        assert answer.headers["ratelimit"].startswith(f"{name};r=")
    # The other window, somebody else's, and what is not limited are as before.
    others = {"/api/v1/providers/qwen/quota", "/api/v1/tokens/quota"} - {path}
    assert http.get(tuned.url() + others.pop(), headers=caller).status_code != 429
    assert http.get(url, headers=key_of_somebody(http, tuned)).status_code != 429
    assert http.get(f"{tuned.url()}/actuator/health", headers=caller).status_code == 200


def test_invented_keys_share_the_window_of_the_address_they_come_from(
    http: httpx.Client, tuned: System
) -> None:
    url = f"{tuned.url()}/api/v1/analytics/providers"

    def invented(number: int) -> httpx.Response:
        headers = {
            "X-Api-Key": f"leaky_{uuid.uuid4()}_{'A' * 43}",
            "X-Forwarded-For": f"10.0.0.{number}",
            "X-User-Id": str(uuid.uuid4()),
        }
        return http.get(url, headers=headers)

    statuses = [invented(number).status_code for number in range(125)]
    assert statuses == [401] * 120 + [429] * 5
    assert http.get(url).status_code == 429
    assert http.get(url, headers=key_of_somebody(http, tuned)).status_code == 200


def test_the_defaults_are_120_and_200_in_60_seconds(http: httpx.Client, local: System) -> None:
    # There the capacities are raised, the window is not.
    answer = http.get(f"{local.url()}/api/v1/providers/qwen/quota")
    assert answer.headers["ratelimit-policy"].endswith(";w=60")


def test_the_buckets_capacity_changes_live(http: httpx.Client, tuned: System) -> None:
    def capacity() -> int:
        query = {"provider": "openai"}
        url = f"{tuned.url('token')}/api/v1/rate-limits/{uuid.uuid4()}"
        return int(http.get(url, params=query).json()["capacity"])

    times = []
    for value in (9, 8, 7, 6, 5):
        put = tuned.leaky("config", "set", "token.bucket.capacity", str(value))
        assert put.returncode == 0, put.stderr
        began = time.monotonic()
        until(lambda: capacity() == value, LATE_SECONDS)  # noqa: B023 asked before the next
        times.append(time.monotonic() - began)
    # One change may meet a busy machine; that most do is a delay of ours.
    assert statistics.median(times) <= SECONDS, times
    reason = error_of(consume(http, tuned, tokens=6), 400)["reason"]
    assert reason == "COST_EXCEEDS_CAPACITY"
    user = str(uuid.uuid4())
    spent = consume(http, tuned, userId=user, tokens=5)
    assert spent.json().items() >= {"allowed": True, "capacity": 5, "used": 5}.items()
    refused = consume(http, tuned, userId=user, tokens=5)
    body = refused.json()
    assert (refused.status_code, set(body)) == (429, documented.CONSUMED)
    assert (body["allowed"], body["providerResponse"]) == (False, {})
    assert body["waitSeconds"] >= 1
    assert refused.headers["retry-after"] == str(body["waitSeconds"])
    assert refused.headers["x-ratelimit-reset"] == str(body["waitSeconds"])
    # The pool was not touched by the refusal.
    query = {"userId": user, "provider": "openai"}
    pool = http.get(f"{tuned.url('token')}/api/v1/tokens/quota", params=query).json()
    assert pool["totalTokens"] - pool["remainingTokens"] == 5
    back = tuned.leaky("config", "unset", "token.bucket.capacity")
    assert back.returncode == 0, back.stderr
    until(lambda: capacity() == 1000, LATE_SECONDS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token.bucket.capacity", "0"),
        ("token.bucket.capacitee", "5"),
    ],
)
def test_a_setting_that_is_no_good_is_refused_and_changes_nothing(
    http: httpx.Client, tuned: System, name: str, value: str
) -> None:
    def files() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in tuned.data.glob("*.json")}

    before, pids = files(), tuned.pids()
    refused = tuned.leaky("config", "set", name, value)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert name.rpartition(".")[2] in refused.stderr
    assert (files(), tuned.pids()) == (before, pids)
    assert consume(http, tuned).json()["capacity"] == 1000


def test_keys_not_validated_at_the_edge_are_validated_behind_it(
    http: httpx.Client, tuned: System
) -> None:
    url = f"{tuned.url()}/api/v1/tokens/quota"
    query = {"userId": str(uuid.uuid4()), "provider": "qwen"}

    def left(caller: Mapping[str, str]) -> int:
        headers = http.get(url, params=query, headers=caller).headers
        return int(headers["x-ratelimit-remaining"])

    # A key has a window of its own, known by its validation; without, it is the address's.
    assert left(key_of_somebody(http, tuned)) == 199
    put = tuned.leaky("config", "set", f"{FLAGS}.gateway.api-key-validation", "false")
    assert put.returncode == 0, put.stderr
    until(lambda: left(key_of_somebody(http, tuned)) < 199, LATE_SECONDS)
    caller = key_of_somebody(http, tuned)
    assert error_of(http.get(url, params=query, headers=caller), 404)["reason"] == "QUOTA_NOT_FOUND"
    unknown = {"X-Api-Key": f"leaky_{uuid.uuid4()}_{'A' * 43}"}
    assert error_of(http.get(url, params=query, headers=unknown), 401)


def test_without_rate_limiting_nobody_is_counted(http: httpx.Client, switched: System) -> None:
    url = f"{switched.url()}/api/v1/providers/qwen/quota"
    for _ in range(125):
        answer = http.get(url)
        assert answer.status_code == 200
        told = set(answer.headers)
        assert not told & (documented.WINDOW_HEADERS | documented.DRAFT_HEADERS)


def test_a_provider_that_is_switched_off(http: httpx.Client, switched: System) -> None:
    assert error_of(consume(http, switched), 503)["reason"] == "PROVIDER_DISABLED"
    assert consume(http, switched, provider="qwen").status_code == 200
    body = {"userId": str(uuid.uuid4()), "provider": "openai", "tokens": 1}
    # On the edge too: it is an answer, not a service that is away.
    edge = http.post(f"{switched.url()}/api/v1/tokens/consume", json=body)
    assert error_of(edge, 503)["reason"] == "PROVIDER_DISABLED"


def test_purchases_switched_off(http: httpx.Client, switched: System) -> None:
    order = {"userId": str(uuid.uuid4()), "provider": "qwen", "tokens": 1}
    for service in ("token", "gateway"):
        refused = http.post(f"{switched.url(service)}/api/v1/tokens/purchase", json=order)
        assert error_of(refused, 503)["reason"] == "FEATURE_DISABLED"


def test_quotas_not_enforced_leave_pools_untouched(http: httpx.Client, switched: System) -> None:
    org, url = str(uuid.uuid4()), f"{switched.url('token')}/api/v1/tokens/quota/org"
    pool = {"orgId": org, "provider": "gemini", "totalTokens": 1}
    assert http.post(url, json=pool).status_code == 201
    assert consume(http, switched, orgId=org, provider="gemini", tokens=2).status_code == 200
    asked = http.get(url, params={"orgId": org, "provider": "gemini"}).json()
    assert (asked["totalTokens"], asked["remainingTokens"]) == (1, 1)


def test_every_call_has_a_line_while_the_level_is_debug(http: httpx.Client, tuned: System) -> None:
    trace = uuid.uuid4().hex
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-00"}
    url = f"{tuned.url('token')}/api/v1/tokens/status"

    def told() -> list[str]:
        assert http.get(url, headers=headers).status_code == 200
        return [line for line in tuned.log().splitlines() if trace in line]

    assert told() == []
    assert tuned.leaky("config", "set", "log.level", "debug").returncode == 0
    until(lambda: bool(told()), LATE_SECONDS)
    assert tuned.leaky("config", "unset", "log.level").returncode == 0
    (call, *_) = (line for line in told() if '"event":"call"' in line)
    assert '"outcome":"OK"' in call
    assert f'"trace_id":"{trace}"' in call
    assert f'"trace_id":"{trace}"' in next(line for line in told() if '"event":"request"' in line)
