"""Users of the system under load, each with an API key and a pool of its own."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.plan import Request
from leaky.client import Client

PROVIDER = "openai"
TOKENS = 3
_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A registered user and its key."""

    user_id: str
    key: str

    def quota(self) -> Request:
        """Asks for its own pool."""
        path = f"/api/v1/tokens/quota?userId={self.user_id}&provider={PROVIDER}"
        return Request(method="GET", path=path, headers={"X-Api-Key": self.key})

    def consume(self) -> Request:
        """Spends TOKENS of its own pool."""
        body = (
            f'{{"userId":"{self.user_id}","provider":"{PROVIDER}","tokens":{TOKENS},'
            '"prompt":"Say hello"}'
        )
        headers = {"X-Api-Key": self.key, "Content-Type": "application/json"}
        return Request(method="POST", path="/api/v1/tokens/consume", headers=headers, body=body)


def status() -> Request:
    """What needs no caller."""
    return Request(method="GET", path="/api/v1/tokens/status")


def register(url: str, count: int) -> list[Caller]:
    """New users, through the edge."""
    with Client(base_url=url) as client, ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda _: _register(client), range(count)))


def _register(client: Client) -> Caller:
    name = f"bench-{uuid.uuid4().hex[:12]}"
    user = client.auth.register(
        username=name, email=f"{name}@example.com", password=f"pass-{uuid.uuid4().hex}"
    )
    signed_in = client.with_credentials(token=user.token)
    key = signed_in.api_key.create_api_key(user_id=user.user_id, name="bench")
    return Caller(user_id=user.user_id, key=key.raw_key)


def remaining(url: str, caller: Caller) -> tuple[int, str]:
    """Tokens left in the caller's pool, and when it is filled up again."""
    with Client(base_url=url, api_key=caller.key) as client:
        quota = client.quota.get_quota(user_id=caller.user_id, provider=PROVIDER)
    return quota.remaining_tokens, str(quota.reset_time)
