"""The service as wired, behind an issuer with https, with the time in the test's hands."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from mesh.clock import RandomIds
from mesh.identity.identity import Identity
from mesh.rpc.dispatcher import Dispatcher, Interceptor
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from mesh.service import Context, Parts
from mesh.settings import Live
from svc_auth.domain.oauth2.scopes import SCOPES
from svc_auth.settings import AuthSettings
from svc_auth.wiring import SERVICE
from tests.svc_auth.oauth2.driver import ISSUER, PASSWORD, Browser, Client
from tests.svc_auth.oauth2.relying_party import RelyingParty

NOW_US = 1_700_000_000_123_456


@dataclass
class Hands:
    """Time that passes when the test says so."""

    now: int = NOW_US

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000_000

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


@dataclass
class Issuer:
    """A running svc_auth."""

    parts: Parts
    clock: Hands
    settings: AuthSettings
    app: Any

    def http(self) -> httpx.AsyncClient:
        """A client with cookies of its own."""
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(transport=transport, base_url=ISSUER)

    async def register_user(self, username: str) -> str:
        body = {
            "username": username,
            "email": f"{username}@example.com",
            "password": PASSWORD,
        }
        async with self.http() as http:
            made = await http.post("/api/v1/auth/register", json=body)
        assert made.status_code in {201, 400}, made.text
        return str(made.json().get("userId", ""))


def _elsewhere(_service: str) -> Any:
    raise AssertionError("auth calls no other service")


Start = Callable[..., AbstractAsyncContextManager[Issuer]]


@asynccontextmanager
async def started(folder: Path, clock: Hands, **env: str) -> AsyncIterator[Issuer]:
    """The service on a data folder."""
    given = {"LEAKY_DATA": str(folder), "LEAKY_AUTH_OIDC_ISSUER": ISSUER, **env}
    settings = Live.read(AuthSettings, given)
    interceptors: list[Interceptor] = []
    dispatcher = Dispatcher(interceptors)
    local = LocalChannel(dispatcher)
    identity = Identity(settings=settings, auth_channel=local, clock=clock)
    interceptors += [
        map_errors,
        identity.principal,
        identity.admit,
        ValidationInterceptor(),
        identity.authorize,
    ]
    context = Context(
        name="auth",
        settings=settings,
        clock=clock,
        ids=RandomIds(),
        channel=_elsewhere,
        local=local,
        dispatcher=dispatcher,
        identity=identity,
    )
    async with SERVICE.build(context) as parts:
        for servicer in parts.servicers:
            dispatcher.add(servicer)
        yield Issuer(
            parts=parts, clock=clock, settings=settings.current, app=cast("Any", parts.http[8081])
        )


@pytest.fixture(scope="module")
async def issuer(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Issuer]:
    """One service a file: keys take long to make. Its clock only goes forward."""
    assert anyio_backend  # what a fixture of a module's needs to be asynchronous
    async with started(tmp_path_factory.mktemp("auth"), Hands()) as running:
        for username in ("alice", "bob"):
            await running.register_user(username)
        yield running


@pytest.fixture
async def http(issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    async with issuer.http() as client:
        yield client


@pytest.fixture
async def browser(issuer: Issuer) -> AsyncIterator[Browser]:
    async with issuer.http() as client:
        yield Browser(http=client)


Register = Callable[..., Any]
MakeParty = Callable[..., RelyingParty]


@pytest.fixture
def register(http: httpx.AsyncClient) -> Register:
    """Registers a client over REST; what is not said is what the certification has."""

    async def registered(**changes: Any) -> Client:
        body: dict[str, Any] = {
            "name": "An application",
            "redirectUris": ["https://app.example/callback"],
            "scopes": list(SCOPES),
            "grantTypes": ["authorization_code", "refresh_token"],
            "requirePkce": False,
        }
        made = await http.post("/api/v1/oauth2/clients", json=body | changes)
        assert made.status_code == 201, made.text
        uris = made.json()["redirectUris"]
        return Client(
            id=made.json()["clientId"],
            secret=made.json()["clientSecret"] or "",
            redirect_uri=uris[0] if uris else "",
        )

    return registered


@pytest.fixture
def party(issuer: Issuer, http: httpx.AsyncClient, browser: Browser) -> MakeParty:
    """A client at work, behind the test's browser unless it brings another."""

    def made(client: Client, **changes: Any) -> RelyingParty:
        given: dict[str, Any] = {
            "browser": browser,
            "http": http,
            "now_us": issuer.clock.now_us,
        } | changes
        return RelyingParty(client=client, **given)

    return made


@pytest.fixture
async def rp(register: Register, party: MakeParty) -> RelyingParty:
    """The certification's first client: confidential, and without PKCE."""
    return party(await register())
