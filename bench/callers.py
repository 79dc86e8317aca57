"""Users of the system under load, each with an API key and a pool of its own at each provider."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from uuid import UUID

from bench.plan import FRESH, Request
from leaky.client import Client

PROVIDER = "openai"
# Its stub takes its time where the load asks for that.
SLOW_PROVIDER = "gemini"
# Two pools for each user, as making a user costs most.
PROVIDERS = (PROVIDER, "qwen")
TOKENS = 3
_THREADS = 4
# RFC 3849, which no real host is in.
_DOCUMENTATION = int(IPv6Address("2001:db8::"))
_TOKENS_PATH = "/api/v1/tokens"
# 30 days, the longest.
_WINDOW_MINUTES = 43_200
_CREATED, _ACCEPTED = 201, 202


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A registered user and its credentials."""

    user_id: str
    key: str
    username: str = ""
    password: str = field(default="", repr=False)

    def quota(self, provider: str = PROVIDER) -> Request:
        """Asks for its own pool."""
        path = f"{_TOKENS_PATH}/quota?userId={self.user_id}&provider={provider}"
        return Request(method="GET", path=path, headers={"X-Api-Key": self.key})

    def consume(self, provider: str = PROVIDER) -> Request:
        """Spends TOKENS of its own pool."""
        return self._post("/consume", {**self._use(provider), "prompt": "Say hello"})

    def reserve(self, provider: str = PROVIDER) -> Request:
        """Holds TOKENS of its own pool, and then spends them: two calls."""
        settle = self._post(f"/reservations/{FRESH}/settle", {"tokens": TOKENS})
        body = {"id": FRESH, **self._use(provider)}
        return self._post("/reservations", body, status=_CREATED, then=settle)

    def purchase(self, provider: str = PROVIDER) -> Request:
        """Buys TOKENS for its own pool, under a new key each time."""
        return self._post("/purchase", self._use(provider), {"Idempotency-Key": FRESH}, _ACCEPTED)

    def login(self) -> Request:
        """By its password."""
        body = {"username": self.username, "password": self.password}
        headers = {"Content-Type": "application/json", "X-Forwarded-For": self.address}
        return Request(
            method="POST", path="/api/v1/auth/login", headers=headers, body=json.dumps(body)
        )

    def report(self, provider: str = PROVIDER) -> Request:
        """Sums up all events of a month."""
        query = f"provider={provider}&windowMinutes={_WINDOW_MINUTES}"
        path = f"/api/v1/analytics/report?{query}"
        return Request(method="GET", path=path, headers={"X-Api-Key": self.key})

    @property
    def address(self) -> str:
        """Where it says it calls from: passwords of one address wait for each other."""
        return str(IPv6Address(_DOCUMENTATION | UUID(self.user_id).int >> 96 << 64))

    def _use(self, provider: str) -> dict[str, object]:
        return {"userId": self.user_id, "provider": provider, "tokens": TOKENS}

    def _post(
        self,
        path: str,
        body: dict[str, object],
        headers: dict[str, str] | None = None,
        status: int = 200,
        then: Request | None = None,
    ) -> Request:
        return Request(
            method="POST",
            path=_TOKENS_PATH + path,
            headers={"X-Api-Key": self.key, "Content-Type": "application/json", **(headers or {})},
            body=json.dumps(body, separators=(",", ":")),
            status=status,
            then=then,
        )


def status() -> Request:
    """What needs no caller."""
    return Request(method="GET", path=f"{_TOKENS_PATH}/status")


def register(url: str, count: int) -> list[Caller]:
    """New users, through the edge."""
    with Client(base_url=url) as client, ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda _: _register(client), range(count)))


def _register(client: Client) -> Caller:
    name, password = f"bench-{uuid.uuid4().hex[:12]}", f"pass-{uuid.uuid4().hex}"
    user = client.auth.register(username=name, email=f"{name}@example.com", password=password)
    signed_in = client.with_credentials(token=user.token)
    key = signed_in.api_key.create_api_key(user_id=user.user_id, name="bench")
    return Caller(user_id=user.user_id, key=key.raw_key, username=name, password=password)


def remaining(url: str, caller: Caller, provider: str = PROVIDER) -> tuple[int, str]:
    """Tokens left in the caller's pool, and when it is filled up again."""
    with Client(base_url=url, api_key=caller.key) as client:
        quota = client.quota.get_quota(user_id=caller.user_id, provider=provider)
    return quota.remaining_tokens, str(quota.reset_time)
