"""svc_token as it is put together, with the real svc_auth and the real doubles around it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx

from leaky.analytics.v1.ingest_service_pb2 import PublishUsageResponse
from mesh.http_server import HttpServer
from mesh.settings import Live
from svc_auth.admin import create_admin
from svc_auth.settings import AuthSettings
from svc_auth.wiring import SERVICE as AUTH
from svc_stubs.settings import StubsSettings
from svc_stubs.wiring import SERVICE as STUBS
from svc_token.settings import TokenSettings
from svc_token.wiring import SERVICE
from tests.svc_token.conftest import USER
from tests.wired import Wired, wired

PASSWORD = "correct horse battery"
ERROR = {"message", "timestamp", "path", "status", "reason", "traceId"}
BUCKET = {"allowed", "capacity", "used", "remaining", "waitSeconds", "timestamp"}
SPEND = {"userId": USER, "provider": "openai", "tokens": 40, "prompt": "hello"}
BUY = {"userId": USER, "provider": "openai", "tokens": 500}


@dataclass
class Analytics:
    """Where the channel to svc_analytics ends."""

    events: list[Any] = field(default_factory=list)

    async def unary(self, method: Any, request: Any, **_: Any) -> Any:  # noqa: ARG002 as a channel
        self.events += request.events
        return PublishUsageResponse()

    def stream(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        pass


@dataclass
class Town:
    """The services, and a client for each caller."""

    auth: Wired
    token: Wired
    settings: Live[TokenSettings]
    stubs: Live[StubsSettings]
    analytics: Analytics
    stack: AsyncExitStack
    numbers: Any = field(default_factory=count)

    async def client(self, **headers: str) -> httpx.AsyncClient:
        client = await self.stack.enter_async_context(self.token.client(8082))
        client.headers.update(headers)
        return client

    async def newcomer(self) -> tuple[str, httpx.AsyncClient]:
        """A new user's id, and a client with its credential."""
        name = f"user-{next(self.numbers)}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        async with self.auth.client(8081) as auth:
            made = (await auth.post("/api/v1/auth/register", json=body)).json()
        return made["userId"], await self.client(Authorization=f"Bearer {made['token']}")

    async def admin(self) -> httpx.AsyncClient:
        name = f"root-{next(self.numbers)}"
        settings = AuthSettings(data=self.settings.current.data)
        await create_admin(settings, username=name, email=f"{name}@example.com", password=PASSWORD)
        async with self.auth.client(8081) as auth:
            body = {"username": name, "password": PASSWORD}
            token = (await auth.post("/api/v1/auth/login", json=body)).json()["token"]
        return await self.client(Authorization=f"Bearer {token}")

    async def at_auth(
        self, client: httpx.AsyncClient, verb: str, path: str, body: Any = None
    ) -> Any:
        """What svc_auth says to this client's credential; None for an empty body."""
        async with self.auth.client(8081) as auth:
            answer = await auth.request(verb, path, json=body, headers=client.headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def organization(self, owner: httpx.AsyncClient, member: str) -> str:
        """A new organisation with a member beside its owner."""
        made = await self.at_auth(owner, "POST", "/api/v1/orgs", {"name": "Acme"})
        await self.at_auth(owner, "PUT", f"/api/v1/orgs/{made['orgId']}/members/{member}")
        return str(made["orgId"])


@asynccontextmanager
async def town(data: Path, **env: str) -> AsyncIterator[Town]:
    # Nothing here is about time, and a busy machine may stand still for two seconds.
    patient = {f"LEAKY_DEADLINES_{name}": "30s" for name in ("EDGE", "MESH", "CONSUME")}
    env = {"LEAKY_DATA": str(data), **patient, **env}
    async with AsyncExitStack() as stack:
        auth = await stack.enter_async_context(
            wired(AUTH, Live.read(AuthSettings, env), others={}, work=True)
        )
        stub_settings = Live.read(StubsSettings, env)
        stubs = await stack.enter_async_context(
            wired(STUBS, stub_settings, others={"auth": auth.channel})
        )
        server = HttpServer(stubs.parts.http[8093], "127.0.0.1", 0, grace=1)
        port = await server.start()
        stack.push_async_callback(server.stop)
        base_url = {"LEAKY_PROVIDERS_OPENAI_BASE_URL": f"http://127.0.0.1:{port}"}
        settings = Live.read(TokenSettings, env | base_url)
        analytics = Analytics()
        others = {"auth": auth.channel, "stubs": stubs.channel, "analytics": analytics}
        token = await stack.enter_async_context(wired(SERVICE, settings, others=others, work=True))
        yield Town(
            auth=auth,
            token=token,
            settings=settings,
            stubs=stub_settings,
            analytics=analytics,
            stack=stack,
        )


def refused(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """The body, which is an error's as documented."""
    body = cast("dict[str, Any]", answer.json())
    assert (answer.status_code, body["reason"], body["status"]) == (status, reason, status)
    assert set(body) - {"errors"} == ERROR
    return body


async def quota(client: httpx.AsyncClient, user: str = USER) -> tuple[int, int]:
    answer = await client.get(f"/api/v1/tokens/quota?userId={user}&provider=openai")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {
        "userId",
        "provider",
        "totalTokens",
        "remainingTokens",
        "resetTime",
        "updatedAt",
    }
    return body["totalTokens"], body["remainingTokens"]


async def completed(client: httpx.AsyncClient, saga_id: str, status: str = "COMPLETED") -> Any:
    async with asyncio.timeout(60):
        while True:
            body = (await client.get(f"/api/v1/tokens/purchase/{saga_id}")).json()
            if body["status"] == status:
                return body
            await asyncio.sleep(0.01)
