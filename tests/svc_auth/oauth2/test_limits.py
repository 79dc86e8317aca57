"""What an application's token cannot do, and what ends it with its user; all of it written down."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from svc_auth.domain.audit import AuditQuery
from svc_auth.stores import STORES
from tests.svc_auth.oauth2.conftest import Hands, Issuer, started
from tests.svc_auth.oauth2.driver import ISSUER, PASSWORD, Browser
from tests.svc_auth.oauth2.relying_party import RelyingParty

pytestmark = pytest.mark.anyio
KEYS = "/api/v1/auth/api-keys"
Register = Callable[..., Any]
MakeParty = Callable[..., RelyingParty]


async def _audit(issuer: Issuer) -> list[tuple[str, str, str, str, str]]:
    async with STORES.open(issuer.settings.store_url) as store:
        lines = await store.audit.lines(AuditQuery(), before=None, limit=50)
    entries = [line.entry for line in reversed(lines)]
    return [
        (one.action, one.caller.actor, one.caller.address, one.subject_id, one.detail)
        for one in entries
    ]


async def test_an_applications_token_does_only_what_a_scope_names(rp: RelyingParty) -> None:
    tokens = await rp.flow(scope="openid tokens.read tokens.write")
    mine = {"userId": tokens.id_token["sub"], "name": "a way in"}
    made = await rp.http.post(KEYS, json=mine, headers=tokens.bearer)
    assert (made.status_code, made.json()["reason"]) == (403, "SCOPE_INSUFFICIENT")
    clients = await rp.http.get("/api/v1/oauth2/clients", headers=tokens.bearer)
    assert clients.status_code == 403


async def test_an_id_token_is_no_key_to_anything(rp: RelyingParty) -> None:
    tokens = await rp.flow()
    bearer = {"Authorization": f"Bearer {tokens.body['id_token']}"}
    asked = {"userId": tokens.id_token["sub"]}
    assert (await rp.http.get(KEYS, params=asked, headers=bearer)).status_code == 401


async def test_logins_consents_and_revocations_are_in_the_audit_log(
    rp: RelyingParty, issuer: Issuer
) -> None:
    before = len(await _audit(issuer))
    tokens = await rp.flow(scope="openid offline_access")
    await rp.show_code(rp.told["code"])
    user, client, here = tokens.id_token["sub"], rp.client.id, "127.0.0.1"
    assert (await _audit(issuer))[before:] == [
        ("LOGIN", user, here, user, ""),
        ("OAUTH_CONSENT_GIVEN", user, here, client, ""),
        ("OAUTH_GRANT_REVOKED", "client", here, client, "CODE_REUSED"),
    ]


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Issuer]:
    async with started(tmp_path, Hands(), LEAKY_PROFILE="secure") as issuer:
        yield issuer


async def test_in_secure_only_an_admin_registers_clients_and_there_is_no_playground(
    secure: Issuer,
) -> None:
    await secure.register_user("alice")
    async with secure.http() as http:
        login = {"username": "alice", "password": PASSWORD}
        token = (await http.post("/api/v1/auth/login", json=login)).json()["token"]
        body = {"name": "x", "scopes": ["openid"], "redirectUris": ["https://app.example/"]}
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}"}, 403)):
            for verb, path in (
                ("POST", "/api/v1/oauth2/clients"),
                ("GET", "/api/v1/oauth2/clients"),
                ("POST", "/api/v1/oauth2/clients/x/secret"),
                ("DELETE", "/api/v1/oauth2/clients/x"),
            ):
                asked = await http.request(
                    verb, path, json=body if verb == "POST" else None, headers=headers
                )
                assert asked.status_code == status, (verb, path)
        basic = ("leaky-client", "leaky-secret")
        data = {"grant_type": "client_credentials"}
        refused = await http.post("/oauth2/token", data=data, auth=basic)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_a_cookie_over_plain_http_has_no_prefix_that_asks_for_more(tmp_path: Path) -> None:
    base = "http://127.0.0.1:8081"
    async with started(tmp_path, Hands(), LEAKY_AUTH_OIDC_ISSUER=base) as issuer:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=issuer.app), base_url=base
        ) as http:
            page = await Browser(http=http, issuer=base).go(
                f"{base}/oauth2/authorize",
                {
                    "client_id": "leaky-client",
                    "redirect_uri": "http://127.0.0.1:8400/callback",
                    "response_type": "code",
                    "scope": "openid",
                    "code_challenge": "c" * 43,
                    "code_challenge_method": "S256",
                },
            )
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("leaky_session=")
        assert "secure" not in cookie.lower()
        assert "httponly" in cookie.lower()


async def test_below_a_path_the_forms_know_the_way(tmp_path: Path) -> None:
    env = {"LEAKY_AUTH_OIDC_ISSUER": f"{ISSUER}/auth"}
    async with started(tmp_path, Hands(), **env) as issuer, issuer.http() as http:
        found = (await http.get("/.well-known/openid-configuration")).json()
        assert found["token_endpoint"] == f"{ISSUER}/auth/oauth2/token"
        asked = {"client_id": "leaky-client", "redirect_uri": "x"}
        again = await http.post("/oauth2/authorize", data=asked)
        assert again.headers["location"].startswith("/auth/oauth2/authorize?")
