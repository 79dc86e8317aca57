"""Client libraries that we did not write log in against a port, as their users would."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from requests_oauthlib import OAuth2Session

from mesh.http_server import HttpServer
from tests.ports import free_port
from tests.svc_auth.oauth2.conftest import Hands, started
from tests.svc_auth.oauth2.driver import Browser

pytestmark = pytest.mark.anyio
PATIENCE = 30.0
REDIRECT = "https://app.example/callback"
SCOPE = "openid profile offline_access tokens.read"


@pytest.fixture
async def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Where an issuer is served, on a port of loopback and at the present time."""
    # Both refuse to speak of tokens over plain HTTP, which loopback is good enough for.
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    now = Hands(now=time.time_ns() // 1_000)
    async with started(tmp_path, now, LEAKY_AUTH_OIDC_ISSUER=url) as issuer:
        await issuer.register_user("alice")
        server = HttpServer(issuer.app, "127.0.0.1", port, 1.0)
        await server.start()
        try:
            yield url
        finally:
            await server.stop()


async def _registered(base: str, **changes: Any) -> dict[str, Any]:
    body = {
        "name": "A library's",
        "redirectUris": [REDIRECT],
        "scopes": SCOPE.split(),
        "grantTypes": ["authorization_code", "refresh_token", "client_credentials"],
    }
    async with httpx.AsyncClient(base_url=base, timeout=PATIENCE) as http:
        made = await http.post("/api/v1/oauth2/clients", json=body | changes)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def _answered(base: str, url: str) -> str:
    """Where the browser ends up after the user has logged in and agreed."""
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        browser = Browser(http=http, issuer=base)
        response = await browser.agree(await browser.go(url))
    return str(response.headers["location"])


async def test_authlib_logs_in_with_pkce_and_refreshes(base: str) -> None:
    made = await _registered(base)
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        found = (await http.get(f"{base}/.well-known/openid-configuration")).json()
    async with AsyncOAuth2Client(
        made["clientId"],
        made["clientSecret"],
        scope=SCOPE,
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
        token_endpoint=found["token_endpoint"],
        timeout=PATIENCE,
    ) as client:
        verifier = "v" * 64
        url, state = client.create_authorization_url(
            found["authorization_endpoint"], code_verifier=verifier
        )
        answer = await _answered(base, url)
        token = await client.fetch_token(
            found["token_endpoint"],
            authorization_response=answer,
            code_verifier=verifier,
            state=state,
        )
        assert set(token["scope"].split()) == set(SCOPE.split())
        info = await client.get(found["userinfo_endpoint"])
        assert info.json()["preferred_username"] == "alice"
        again = await client.refresh_token(found["token_endpoint"])
        assert again["access_token"] != token["access_token"]
        assert again["refresh_token"] != token["refresh_token"]
        told = await client.introspect_token(
            found["introspection_endpoint"], token=again["access_token"]
        )
        assert told.json()["active"] is True
        gone = await client.revoke_token(found["revocation_endpoint"], token=again["refresh_token"])
        assert gone.status_code == 200
        assert (await client.get(found["userinfo_endpoint"])).status_code == 401


async def test_authlib_gets_a_clients_own_token(base: str) -> None:
    made = await _registered(base)
    async with AsyncOAuth2Client(
        made["clientId"], made["clientSecret"], timeout=PATIENCE
    ) as client:
        token = await client.fetch_token(
            f"{base}/oauth2/token", grant_type="client_credentials", scope="tokens.read"
        )
    assert token["scope"] == "tokens.read"


async def test_oauthlib_logs_in_with_pkce_and_refreshes(base: str) -> None:
    made = await _registered(base, public=True, grantTypes=["authorization_code", "refresh_token"])
    with OAuth2Session(
        made["clientId"], scope=SCOPE.split(), redirect_uri=REDIRECT, pkce="S256"
    ) as session:
        url, _ = session.authorization_url(f"{base}/oauth2/authorize")
        answer = await _answered(base, url)
        token = await asyncio.to_thread(
            session.fetch_token,
            f"{base}/oauth2/token",
            authorization_response=answer,
            include_client_id=True,
        )
        assert set(token["scope"]) == set(SCOPE.split())
        info = await asyncio.to_thread(session.get, f"{base}/userinfo")
        assert info.json()["preferred_username"] == "alice"
        again = await asyncio.to_thread(
            session.refresh_token, f"{base}/oauth2/token", client_id=made["clientId"]
        )
        assert again["access_token"] != token["access_token"]
        assert again["refresh_token"] != token["refresh_token"]
