"""scripts/verify-tracing.sh: one consume through every real part as one trace in Jaeger."""

import asyncio
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.system import System
from tests.parts import postgresql, redis
from tests.parts.native import native_part
from tests.parts.urls import JAEGER, JAEGER_OTLP, KAFKA, POSTGRESQL, REDIS, url

PARTS = (POSTGRESQL, REDIS, KAFKA, JAEGER)
pytestmark = pytest.mark.skipif(
    not all(map(url, PARTS)), reason="wants PostgreSQL, Redis, Kafka and Jaeger"
)
SCRIPT = Path(__file__).resolve().parents[3] / "scripts/verify-tracing.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A started system that sends its traces to the Jaeger that all share."""

    system: System

    def key(self) -> str:
        """A new user's new API key."""
        name = f"t-{uuid.uuid4().hex}"
        account = {"username": name, "email": f"{name}@example.com", "password": uuid.uuid4().hex}
        with self.system.client() as client:
            user = client.post("/api/v1/auth/register", json=account).json()
            client.headers["Authorization"] = f"Bearer {user['token']}"
            wanted = {"userId": user["userId"], "name": "traced"}
            return str(client.post("/api/v1/auth/api-keys", json=wanted).json()["rawKey"])

    def verify(self, key: str, *hops: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The script's verdict."""
        given = {
            "PATH": os.environ["PATH"],
            "BASE_URL": self.system.url(),
            "JAEGER_URL": url(JAEGER),
            "API_KEY": key,
        }
        return subprocess.run(  # noqa: S603 our own script
            [SCRIPT, *hops],
            env=given | env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    mark = uuid.uuid4().hex[:12]
    with ExitStack() as stack:
        env = {
            "LEAKY_PROFILE": "secure",
            "LEAKY_TOKEN_BUCKET_STORE": stack.enter_context(redis.corner()),
            "LEAKY_GATEWAY_RATE_LIMIT_STORE": stack.enter_context(redis.corner()),
            "LEAKY_TOKEN_USAGE_SINK": url(KAFKA),
            "LEAKY_TOKEN_USAGE_TOPIC": f"usage-{mark}",
            "LEAKY_TOKEN_SAGA_TOPIC": f"purchases-{mark}",
            "LEAKY_ANALYTICS_USAGE_SOURCE": url(KAFKA),
            "LEAKY_ANALYTICS_USAGE_TOPIC": f"usage-{mark}",
            "LEAKY_TRACING_ENDPOINT": url(JAEGER_OTLP),
            "LEAKY_TRACING_SAMPLE_RATIO": "0",
            "LEAKY_AUTH_STORE": _database(stack, "auth", mark),
            "LEAKY_TOKEN_STORE": _database(stack, "token", mark),
        }
        system = System(tmp_path_factory.mktemp("traced") / "data", env)
        stack.callback(system.end)
        migrated = system.leaky("migrate")
        assert migrated.returncode == 0, migrated.stderr
        yield Traced(system=system.start())


def _database(stack: ExitStack, name: str, mark: str) -> str:
    database = f"{name}_{mark}"
    server = postgresql.at("postgres")
    asyncio.run(postgresql.execute(server, f"CREATE DATABASE {database}"))
    stack.callback(lambda: asyncio.run(postgresql.drop(database)))
    return postgresql.at(database)


def test_one_consume_is_one_trace_with_every_hop(traced: Traced) -> None:
    key = traced.key()
    done = traced.verify(key, "redis", "kafka")
    assert done.returncode == 0, done.stdout + done.stderr
    for hop in ("gateway  POST /api/v1/tokens/consume", "transact postgresql", "EVALSHA", "chat"):
        assert hop in done.stdout
    assert "linked: analytics  process usage" in done.stdout
    assert key not in done.stdout + done.stderr


def test_a_hop_that_is_missing_is_named(traced: Traced) -> None:
    key = traced.key()
    assert traced.verify(key).returncode == 0
    # The edge knows the key now, so that svc_auth is not asked.
    done = traced.verify(key, WAIT_SECONDS="12")
    assert done.returncode == 1
    assert "verify-tracing: the hop auth is missing" in done.stderr
    assert "analytics" not in done.stderr


def test_a_bad_key_and_wrong_arguments_are_told(traced: Traced) -> None:
    key = f"leaky_{uuid.uuid4()}_{uuid.uuid4().hex}"
    done = traced.verify(key)
    assert done.returncode == 1
    assert key not in done.stderr
    assert traced.verify("", "redis").returncode == 2
    assert traced.verify(key, "everything").returncode == 2


def test_what_is_not_followed_is_not_in_jaeger(traced: Traced) -> None:
    trace = uuid.uuid4().hex
    with traced.system.client() as client:
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-00"}
        assert client.get("/api/v1/tokens/status", headers=headers).status_code == 200
    # Later than what a span would take: the batch of a followed call has arrived.
    assert traced.verify(traced.key()).returncode == 0
    assert httpx.get(f"{url(JAEGER)}/api/traces/{trace}").status_code == 404


def test_a_jaeger_keeps_running_beside_the_shared_one() -> None:
    with native_part("jaeger") as part:
        part.start()
        assert not httpx.get(f"{part.url}/api/services").json()["data"]
        part.stop()
        assert part.status() == 3
