"""What users have allowed applications, as they see it and take it back over REST."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import PASSWORD, request
from tests.svc_auth.oauth2.relying_party import RelyingParty, Tokens, refused

pytestmark = pytest.mark.anyio
CONSENTS = "/api/v1/auth/consents"


async def _session(http: httpx.AsyncClient, username: str) -> tuple[str, dict[str, str]]:
    """A user's id, and the user's own credential."""
    body = {"username": username, "password": PASSWORD}
    answer = (await http.post("/api/v1/auth/login", json=body)).json()
    return answer["userId"], {"authorization": f"Bearer {answer['token']}"}


async def _listed(http: httpx.AsyncClient, client_id: str, who: str = "alice") -> list[Any]:
    user, bearer = await _session(http, who)
    found = await http.get(CONSENTS, params={"userId": user}, headers=bearer)
    assert found.status_code == 200, found.text
    return [one for one in found.json() if one["clientId"] == client_id]


async def _withdraw(http: httpx.AsyncClient, client_id: str, who: str = "alice") -> httpx.Response:
    user, bearer = await _session(http, who)
    return await http.delete(f"{CONSENTS}/{client_id}", params={"userId": user}, headers=bearer)


async def test_a_user_sees_which_applications_it_has_allowed_what(
    issuer: Issuer, rp: RelyingParty
) -> None:
    assert await _listed(rp.http, rp.client.id) == []
    await rp.flow(scope="openid profile")
    [one] = await _listed(rp.http, rp.client.id)
    assert one["lastUsedAt"] == one["createdAt"]
    issuer.clock.forward(60)
    tokens = await rp.flow(scope="openid offline_access")
    issuer.clock.forward(60)
    await rp.refresh(tokens)
    [then] = await _listed(rp.http, rp.client.id)
    assert then == {
        "clientId": rp.client.id,
        "clientName": "An application",
        "scopes": ["offline_access", "openid", "profile"],
        "createdAt": one["createdAt"],
        "lastUsedAt": then["lastUsedAt"],
    }
    assert then["lastUsedAt"] > one["lastUsedAt"]
    assert await _listed(rp.http, rp.client.id, "bob") == []


async def _active(rp: RelyingParty, text: str) -> bool:
    basic = (rp.client.id, rp.client.secret)
    told = await rp.http.post("/oauth2/introspect", data={"token": text}, auth=basic)
    return bool(told.json()["active"])


async def test_what_is_withdrawn_ends_at_once_and_is_asked_for_again(rp: RelyingParty) -> None:
    tokens: Tokens = await rp.flow(scope="openid offline_access")
    await rp.authorize(scope="openid")
    open_code = rp.told["code"]
    mark = len(rp.browser.seen)
    await rp.authorize(scope="openid")
    assert rp.browser.asked_since(mark) == []
    assert (await _withdraw(rp.http, rp.client.id)).status_code == 204
    assert await _listed(rp.http, rp.client.id) == []
    assert not await _active(rp, tokens.access)
    assert not await _active(rp, tokens.body["refresh_token"])
    assert (await rp.http.get("/userinfo", headers=tokens.bearer)).status_code == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens.body["refresh_token"]}
    refused(await rp.token(**refresh), "invalid_grant")
    refused(await rp.show_code(open_code), "invalid_grant")
    silent = await rp.browser.authorize(request(rp.client, prompt="none"))
    assert silent["error"] == "consent_required"
    mark = len(rp.browser.seen)
    await rp.flow(scope="openid")
    assert rp.browser.asked_since(mark) == ["Allow An application?"]


async def test_what_another_user_has_allowed_is_not_found_and_goes_on(rp: RelyingParty) -> None:
    tokens = await rp.flow(scope="openid offline_access")
    missing = await _withdraw(rp.http, rp.client.id, "bob")
    assert (missing.status_code, missing.json()["reason"]) == (404, "OAUTH_CONSENT_NOT_FOUND")
    assert await _active(rp, tokens.access)
    await rp.refresh(tokens)


async def test_what_is_withdrawn_again_or_of_no_client_is_not_found(rp: RelyingParty) -> None:
    await rp.flow()
    once = await asyncio.gather(*(_withdraw(rp.http, rp.client.id) for _ in range(3)))
    assert sorted(one.status_code for one in once) == [204, 404, 404]
    for client_id in (rp.client.id, "nobody", "Leaky-Client", "leaky-client"):
        assert (await _withdraw(rp.http, client_id)).status_code == 404


async def test_an_application_neither_sees_nor_ends_what_it_was_allowed(rp: RelyingParty) -> None:
    tokens = await rp.flow(scope="openid tokens.read tokens.write")
    whose = {"userId": tokens.id_token["sub"]}
    listed = await rp.http.get(CONSENTS, params=whose, headers=tokens.bearer)
    ended = await rp.http.delete(f"{CONSENTS}/{rp.client.id}", params=whose, headers=tokens.bearer)
    for one in (listed, ended):
        assert (one.status_code, one.json()["reason"]) == (403, "SCOPE_INSUFFICIENT")
    assert await _active(rp, tokens.access)
