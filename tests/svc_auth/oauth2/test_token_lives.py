"""What becomes of tokens: how they are exchanged, looked at, taken back, and end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import ISSUER, Client
from tests.svc_auth.oauth2.relying_party import RelyingParty, Tokens, refused

pytestmark = pytest.mark.anyio
# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PKCE = {
    "code_challenge": create_s256_code_challenge(VERIFIER),
    "code_challenge_method": "S256",
}
DAY = 86_400
Register = Callable[..., Any]
MakeParty = Callable[..., RelyingParty]


async def _alive(rp: RelyingParty, tokens: Tokens) -> bool:
    response = await rp.http.get("/userinfo", headers=tokens.bearer)
    told = await rp.introspect(tokens.access)
    assert (response.status_code == 200) is told["active"]
    return bool(told["active"])


# Families.


async def test_a_code_that_is_shown_again_ends_its_whole_family(
    rp: RelyingParty, issuer: Issuer
) -> None:
    first = await rp.flow(scope="openid offline_access")
    code = rp.told["code"]
    second = await rp.refresh(first)
    other = await rp.flow(scope="openid offline_access")
    issuer.clock.forward(5)
    refused(await rp.show_code(code), "invalid_grant")
    assert not await _alive(rp, first)
    assert not await _alive(rp, second)
    last = second.body["refresh_token"]
    refused(await rp.token(grant_type="refresh_token", refresh_token=last), "invalid_grant")
    assert await _alive(rp, other)


# Refresh tokens.


async def test_a_refresh_token_needs_the_scope_and_the_grant_type(
    rp: RelyingParty, register: Register, party: MakeParty
) -> None:
    assert "refresh_token" not in (await rp.flow(scope="openid")).body
    plain = await register(grantTypes=["authorization_code"], scopes=["openid", "tokens.read"])
    assert "refresh_token" not in (await party(plain).flow(scope="openid tokens.read")).body


async def test_without_openid_it_is_plain_oauth2(rp: RelyingParty) -> None:
    await rp.authorize(scope="tokens.read")
    response = await rp.show_code(rp.told["code"])
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    userinfo = await rp.http.get(
        "/userinfo", headers={"Authorization": f"Bearer {body['access_token']}"}
    )
    assert userinfo.status_code == 403
    assert 'error="insufficient_scope"' in userinfo.headers["www-authenticate"]


async def test_a_refresh_token_that_is_shown_again_ends_its_family(rp: RelyingParty) -> None:
    first = await rp.flow(scope="openid offline_access")
    second = await rp.refresh(first)
    old, new = first.body["refresh_token"], second.body["refresh_token"]
    refused(await rp.token(grant_type="refresh_token", refresh_token=old), "invalid_grant")
    refused(await rp.token(grant_type="refresh_token", refresh_token=new), "invalid_grant")
    assert not await _alive(rp, second)


async def test_of_many_who_exchange_a_refresh_token_at_once_none_keeps_anything(
    rp: RelyingParty,
) -> None:
    first = await rp.flow(scope="openid offline_access")
    token = first.body["refresh_token"]
    answers = await asyncio.gather(
        *(rp.token(grant_type="refresh_token", refresh_token=token) for _ in range(5))
    )
    given = [one.json() for one in answers if one.status_code == 200]
    assert len(given) <= 1
    assert not await _alive(rp, first)
    for one in given:
        last = one["refresh_token"]
        refused(await rp.token(grant_type="refresh_token", refresh_token=last), "invalid_grant")


async def test_a_family_ends_after_its_lifetime_however_fresh_its_last_token(
    rp: RelyingParty, issuer: Issuer
) -> None:
    tokens = await rp.flow(scope="openid offline_access")
    for _ in range(3):
        issuer.clock.forward(9 * DAY)
        tokens = await rp.refresh(tokens)
    issuer.clock.forward(3 * DAY)
    last = tokens.body["refresh_token"]
    refused(await rp.token(grant_type="refresh_token", refresh_token=last), "invalid_grant")


async def test_less_may_be_asked_for_and_never_more(rp: RelyingParty) -> None:
    tokens = await rp.flow(scope="openid offline_access tokens.read")
    less = await rp.refresh(tokens, scope="openid")
    assert less.body["scope"] == "openid"
    token = less.body["refresh_token"]
    more = await rp.token(grant_type="refresh_token", refresh_token=token, scope="openid email")
    refused(more, "invalid_scope")
    again = await rp.refresh(less)
    assert again.body["scope"] == "openid offline_access tokens.read"


# A client for itself.


async def test_a_client_may_have_a_token_of_its_own(register: Register, party: MakeParty) -> None:
    rp = party(
        await register(
            grantTypes=["client_credentials"],
            redirectUris=[],
            scopes=["openid", "tokens.read", "tokens.write"],
        )
    )
    body = (await rp.token(grant_type="client_credentials")).json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert body["scope"] == "tokens.read tokens.write"
    told = await rp.introspect(body["access_token"])
    assert (told["sub"], told["client_id"], "username" in told) == (
        rp.client.id,
        rp.client.id,
        False,
    )
    less = await rp.token(grant_type="client_credentials", scope="tokens.read")
    assert less.json()["scope"] == "tokens.read"
    for scope in ("openid", "email", "tokens.read everything"):
        sent = await rp.token(grant_type="client_credentials", scope=scope)
        refused(sent, "invalid_scope")
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    assert (await rp.http.get("/userinfo", headers=bearer)).status_code == 403


# What tokens say, and how they end.


async def test_an_access_token_is_as_rfc_9068_has_it(rp: RelyingParty) -> None:
    tokens = await rp.flow(scope="openid tokens.read")
    jwks = KeySet.import_key_set((await rp.http.get("/oauth2/jwks")).json())
    read = jwt.decode(tokens.access, jwks, algorithms=["RS256"])
    assert (read.header["typ"], read.header["alg"]) == ("at+jwt", "RS256")
    claims = dict(read.claims)
    assert claims.pop("grant_id")
    assert claims | {"iat": 0, "exp": 0, "jti": ""} == {
        "iss": ISSUER,
        "sub": tokens.id_token["sub"],
        "aud": "leaky-api",
        "client_id": rp.client.id,
        "scope": "openid tokens.read",
        "username": "alice",
        "roles": ["USER"],
        "iat": 0,
        "exp": 0,
        "jti": "",
    }
    assert claims["exp"] - claims["iat"] == pytest.approx(900, abs=1)


async def test_introspection_tells_a_client_of_its_own_tokens_only(
    rp: RelyingParty, register: Register, party: MakeParty
) -> None:
    tokens = await rp.flow(scope="openid offline_access")
    told = await rp.introspect(tokens.access)
    assert told["active"] is True
    assert told["token_type"] == "Bearer"
    assert (told["iss"], told["aud"], told["username"]) == (ISSUER, "leaky-api", "alice")
    assert {"sub", "exp", "iat", "jti"} <= set(told)
    assert (type(told["iat"]), type(told["exp"])) == (int, int)
    refresh = await rp.introspect(tokens.body["refresh_token"])
    assert (refresh["active"], refresh["scope"]) == (True, "openid offline_access")
    other = party(await register())
    for token in (tokens.access, tokens.body["refresh_token"], tokens.body["id_token"], "x", "é"):
        assert await other.introspect(token) == {"active": False}
    assert await rp.introspect(tokens.body["id_token"]) == {"active": False}


async def test_tokens_end_by_themselves(rp: RelyingParty, issuer: Issuer) -> None:
    tokens = await rp.flow()
    issuer.clock.forward(898)
    assert await _alive(rp, tokens)
    issuer.clock.forward(2)
    assert not await _alive(rp, tokens)


async def test_a_revoked_access_token_ends_alone_and_a_refresh_token_with_its_family(
    rp: RelyingParty, register: Register, party: MakeParty
) -> None:
    other = party(await register())
    first = await rp.flow(scope="openid offline_access")
    second = await rp.refresh(first)

    async def revoke(by: RelyingParty, token: str, **more: str) -> None:
        basic = (by.client.id, by.client.secret)
        data = {"token": token} | more
        response = await by.http.post("/oauth2/revoke", data=data, auth=basic)
        assert response.status_code == 200, response.text

    await revoke(other, first.access)
    await revoke(other, second.body["refresh_token"])
    await revoke(rp, "unknown")
    assert await _alive(rp, first)
    await revoke(rp, first.access, token_type_hint="refresh_token")
    assert not await _alive(rp, first)
    assert await _alive(rp, second)
    await revoke(rp, second.body["refresh_token"], token_type_hint="nonsense")
    assert not await _alive(rp, second)
    await revoke(rp, second.access)
    sent = await rp.http.post("/oauth2/revoke", data={"token": "x"})
    refused(sent, "invalid_client", 401)


async def test_userinfo_wants_one_good_token(rp: RelyingParty) -> None:
    tokens = await rp.flow()
    none = await rp.http.get("/userinfo")
    assert (none.status_code, none.headers["www-authenticate"]) == (
        401,
        'Bearer realm="leaky-tokens"',
    )
    for bad in (tokens.body["id_token"], tokens.access[:-4] + "AAAA", "x"):
        sent = await rp.http.get("/userinfo", headers={"Authorization": f"Bearer {bad}"})
        assert sent.status_code == 401
        assert 'error="invalid_token"' in sent.headers["www-authenticate"]
    twice = await rp.http.post(
        "/userinfo", data={"access_token": tokens.access}, headers=tokens.bearer
    )
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")
    in_query = await rp.http.get("/userinfo", params={"access_token": tokens.access})
    assert in_query.status_code == 401


async def test_a_client_that_is_removed_takes_its_tokens_along(rp: RelyingParty) -> None:
    tokens = await rp.flow(scope="openid offline_access")
    gone = await rp.http.delete(f"/api/v1/oauth2/clients/{rp.client.id}")
    assert gone.status_code == 204
    assert (await rp.http.get("/userinfo", headers=tokens.bearer)).status_code == 401
    refused(await rp.show_code("x"), "invalid_client", 401)
    assert (await rp.http.delete(f"/api/v1/oauth2/clients/{rp.client.id}")).status_code == 404


async def test_a_new_secret_ends_the_old_one(rp: RelyingParty, issuer: Issuer) -> None:
    tokens = await rp.flow(scope="openid offline_access")
    issuer.clock.forward(1)
    made = await rp.http.post(f"/api/v1/oauth2/clients/{rp.client.id}/secret")
    assert made.status_code == 200
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens.body["refresh_token"]}
    refused(await rp.token(**refresh), "invalid_client", 401)
    rp.client.secret = made.json()["clientSecret"]
    # What was got with the old one ends, too: it may be somebody else's.
    assert not await _alive(rp, tokens)
    assert (await rp.token(**refresh)).status_code == 200


async def test_the_playground_has_a_client_of_its_own(party: MakeParty) -> None:
    client = Client("leaky-client", "leaky-secret", "http://127.0.0.1:8400/callback")
    rp = party(client)
    tokens = await rp.flow(
        scope="openid offline_access tokens.read tokens.write", verifier=VERIFIER, **PKCE
    )
    assert await rp.refresh(tokens)
    assert (await rp.token(grant_type="client_credentials")).status_code == 200
    taken = await rp.http.post(
        "/api/v1/oauth2/clients",
        json={
            "name": "mine",
            "clientId": "leaky-client",
            "scopes": ["openid"],
            "redirectUris": ["https://app.example/"],
        },
    )
    assert (taken.status_code, taken.json()["reason"]) == (409, "OAUTH_CLIENT_EXISTS")
