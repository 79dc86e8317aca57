"""What a test sees of a system on the real parts, beside its REST."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import real
from tests.e2e.system import System
from tests.exposed import total
from tests.parts import kafka, postgresql
from tests.parts.urls import KAFKA, url

needs_all = pytest.mark.skipif(not real.there(), reason="wants every real part: make test-full")
ROOMY = {
    "LEAKY_GATEWAY_RATE_LIMIT_CAPACITY": "10000000",
    "LEAKY_GATEWAY_RATE_LIMIT_ROUTES_API_V1_TOKENS": "10000000",
    "LEAKY_TOKEN_BUCKET_CAPACITY": "1000000",
    "LEAKY_TOKEN_BUCKET_LEAK_RATE_PER_SECOND": "1000",
}
# For tests of which no call may fail: a machine that stops for seconds is no fault to be told of.
PATIENT = {
    **ROOMY,
    "LEAKY_PROVIDER_TIMEOUT": "10s",
    **dict.fromkeys(
        (f"LEAKY_DEADLINES_{name}" for name in ("EDGE", "MESH", "CONSUME", "PURCHASE")), "20s"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A started system and its corner of the parts."""

    system: System
    corner: real.Corner

    def ports(self, kind: str) -> dict[str, int]:
        """The REST ("http") or "grpc" port of each process, by its name."""
        rows = json.loads((self.system.data / "up.json").read_text())
        return {row["name"]: _number(row[kind]) for row in rows}

    def metric(self, process: str, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels in one process; 0 when it has none."""
        text = httpx.get(f"http://127.0.0.1:{self.ports('http')[process]}/metrics").text
        return total(text, name, **labels)

    def answered(self, provider: str = "openai") -> int:
        """How many calls the provider's double has answered, by its own books."""
        text = httpx.get(f"{self.system.url(f'stubs.{provider}')}/metrics").text
        return int(total(text, "stubs_answers_total", provider=provider, status="200"))

    def consul(self, path: str) -> Any:
        """What Consul answers to an operator."""
        with self._agent() as agent:
            return agent.get(path).raise_for_status().json()

    def states(self, service: str) -> dict[str, str]:
        """The worst check of each instance that Consul knows, by the instance's id."""
        found = {}
        for entry in self.consul(f"health/service/{service}"):
            checks = {check["Status"] for check in entry["Checks"]}
            worst = next(one for one in ("critical", "warning", "passing") if one in checks)
            found[entry["Service"]["ID"]] = worst
        return found

    def put(self, key: str, value: str) -> None:
        """Writes a key into KV past every check of ours."""
        with self._agent() as agent:
            agent.put(f"kv/{key}", content=value).raise_for_status()

    def _agent(self) -> httpx.Client:
        token = self.corner.operator["CONSUL_HTTP_TOKEN"]
        url = self.corner.env["LEAKY_REGISTRY"].replace("consul://", "http://")
        return httpx.Client(base_url=f"{url}/v1", headers={"X-Consul-Token": token})

    def open_pool(self, org: str, tokens: int) -> None:
        """Gives an organisation tokens at one provider."""
        body = {"orgId": org, "provider": "openai", "totalTokens": tokens}
        url = f"{self.system.url()}/api/v1/tokens/quota/org"
        assert httpx.post(url, json=body, timeout=15).status_code == 201

    def left(self, org: str) -> int:
        """What is left of an organisation's tokens."""
        url = f"{self.system.url()}/api/v1/tokens/quota/org"
        answer = httpx.get(url, params={"orgId": org, "provider": "openai"}, timeout=15)
        return int(answer.raise_for_status().json()["remainingTokens"])

    def charged(self, user: str, provider: str = "openai") -> int:
        """What is gone of a user's pool."""
        answer = httpx.get(
            f"{self.system.url()}/api/v1/tokens/quota",
            params={"userId": user, "provider": provider},
            timeout=15,
        )
        if answer.status_code == 404:
            return 0
        body = answer.raise_for_status().json()
        return int(body["totalTokens"] - body["remainingTokens"])

    def report(self, provider: str = "openai") -> Any:
        """Analytics' exact totals of the last day."""
        answer = httpx.get(
            f"{self.system.url()}/api/v1/analytics/report",
            params={"provider": provider, "windowMinutes": 1440},
            timeout=15,
        )
        return answer.raise_for_status().json()

    def latest(self, provider: str) -> list[tuple[str, int]]:
        """Whose the newest events at a provider are, and of how many tokens."""
        answer = httpx.get(
            f"{self.system.url()}/api/v1/analytics/usage",
            params={"provider": provider, "limit": 200},
            timeout=15,
        )
        items = answer.raise_for_status().json()["items"]
        return [(item["userId"], int(item["tokens"])) for item in items]

    def waiting(self) -> int:
        """Events that have yet to leave svc_token's outbox, or that analytics has yet to keep."""
        (held,) = self.books("SELECT count(*) FROM outbox")
        topic = self.corner.env["LEAKY_ANALYTICS_USAGE_TOPIC"]
        return int(held) + asyncio.run(kafka.lag(url(KAFKA), topic, "analytics"))

    def books(self, query: str, *values: object) -> tuple[Any, ...]:
        """The only row of a query of svc_token's own database."""
        database = self.corner.env["LEAKY_TOKEN_STORE"]
        return asyncio.run(postgresql.row(database, query, *values))

    def used(self, user: str) -> int:
        """What analytics has of a user."""
        answer = httpx.get(
            f"{self.system.url()}/api/v1/analytics/users/{user}",
            params={"windowMinutes": 1440},
            timeout=15,
        )
        return int(answer.raise_for_status().json()["totalTokens"])


@contextmanager
def started(corner: real.Corner, folder: Path, settings: Mapping[str, str]) -> Iterator[Whole]:
    """Two of svc_token, two of svc_gateway, in a corner, with these settings."""
    system = System(
        folder / "data",
        {**corner.env, **settings},
        instances=real.INSTANCES,
        operator=corner.operator,
    )
    try:
        yield Whole(system=system.start(), corner=corner)
    finally:
        system.end()


def _number(port: Any) -> int:
    return int((port[0] if isinstance(port, list) else port)["number"])
