"""The token endpoint: whom it believes, and which codes it takes."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import Client
from tests.svc_auth.oauth2.relying_party import RelyingParty, refused

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


# Who asks.


async def test_a_secret_that_is_wrong_missing_or_told_twice_is_refused(rp: RelyingParty) -> None:
    client, http = rp.client, rp.http
    data = {"grant_type": "authorization_code", "code": "x", "redirect_uri": "y"}
    for basic in ((client.id, "wrong"), (client.id, ""), ("nobody", client.secret), ("a\0", "b")):
        told = refused(
            await http.post("/oauth2/token", data=data, auth=basic), "invalid_client", 401
        )
        assert told.headers["www-authenticate"] == 'Basic realm="leaky-tokens"'
    for post in ({}, {"client_id": client.id}, {"client_id": client.id, "client_secret": "no"}):
        refused(await http.post("/oauth2/token", data=data | post), "invalid_client", 401)
    for header in ("Basic", "Basic !", "Bearer abc", f"Basic {b64encode(b'x').decode()}"):
        sent = await http.post("/oauth2/token", data=data, headers={"Authorization": header})
        refused(sent, "invalid_client", 401)
    for twice in ({"client_secret": client.secret}, {"client_id": "another"}):
        good = (client.id, client.secret)
        refused(await http.post("/oauth2/token", data=data | twice, auth=good), "invalid_request")


async def test_a_client_that_is_encoded_as_the_rfc_says_is_understood(rp: RelyingParty) -> None:
    await rp.authorize()
    secret = quote_plus(rp.client.secret).replace("-", "%2D")
    encoded = b64encode(f"{rp.client.id}:{secret}".encode()).decode()
    response = await rp.http.post(
        "/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": rp.told["code"],
            "redirect_uri": rp.client.redirect_uri,
        },
        headers={"Authorization": f"basic {encoded}"},
    )
    assert response.status_code == 200, response.text


async def test_a_public_client_has_no_secret_and_its_proof_instead(
    register: Register, party: MakeParty
) -> None:
    rp = party(await register(public=True, requirePkce=True))
    tokens = await rp.flow(scope="openid offline_access", verifier=VERIFIER, **PKCE)
    assert await rp.refresh(tokens)
    data = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": rp.client.id}
    wrong = await rp.http.post("/oauth2/token", data=data | {"client_secret": "guess"})
    refused(wrong, "invalid_client", 401)
    asked = {"token": tokens.access, "client_id": rp.client.id}
    refused(await rp.http.post("/oauth2/introspect", data=asked), "invalid_client", 401)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x\0"}, "invalid_grant"),
        ({"grant_type": ["refresh_token", "refresh_token"]}, "invalid_request"),
    ],
)
async def test_a_request_out_of_order_is_refused(
    rp: RelyingParty, data: dict[str, Any], error: str
) -> None:
    refused(await rp.token(**data), error)


async def test_only_forms_are_read(rp: RelyingParty) -> None:
    basic = (rp.client.id, rp.client.secret)
    data = {"grant_type": "refresh_token", "refresh_token": "x"}
    refused(await rp.http.post("/oauth2/token", json=data, auth=basic), "invalid_request")
    bare = await rp.http.post("/oauth2/token", params=data, auth=basic)
    refused(bare, "invalid_request")
    assert (await rp.http.get("/oauth2/token", params=data, auth=basic)).status_code == 405
    for body in (b"grant_type=%ff", "grant_type=é".encode(), b"&".join([b"a=b"] * 101)):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        sent = await rp.http.post("/oauth2/token", content=body, headers=headers, auth=basic)
        refused(sent, "invalid_request")


# Codes.


async def test_a_code_lives_a_minute(rp: RelyingParty, issuer: Issuer) -> None:
    await rp.authorize()
    issuer.clock.forward(59.9)
    assert (await rp.show_code(rp.told["code"])).status_code == 200
    await rp.authorize()
    issuer.clock.forward(60)
    refused(await rp.show_code(rp.told["code"]), "invalid_grant")


async def test_a_code_is_for_its_client_and_its_redirect_uri(
    register: Register, party: MakeParty
) -> None:
    uris = ["https://app.example/callback", "https://app.example/other"]
    rp, other = party(await register(redirectUris=uris)), party(await register())
    await rp.authorize()
    refused(await other.show_code(rp.told["code"]), "invalid_grant")
    await rp.authorize()
    elsewhere = party(Client(rp.client.id, rp.client.secret, uris[1]))
    refused(await elsewhere.show_code(rp.told["code"]), "invalid_grant")
    # Whoever showed it, it is spent.
    refused(await rp.show_code(rp.told["code"]), "invalid_grant")


@pytest.mark.parametrize(
    ("challenge", "verifier", "error"),
    [
        (PKCE, None, "invalid_request"),
        (PKCE, "v" * 43, "invalid_grant"),
        (PKCE, VERIFIER[:-1], "invalid_grant"),
        (PKCE, PKCE["code_challenge"], "invalid_grant"),
        (PKCE, "short", "invalid_grant"),
        (PKCE, "é" * 43, "invalid_grant"),
        ({}, VERIFIER, "invalid_grant"),
    ],
)
async def test_a_code_needs_the_proof_that_belongs_to_it(
    rp: RelyingParty, challenge: dict[str, Any], verifier: str | None, error: str
) -> None:
    await rp.authorize(**challenge)
    refused(await rp.show_code(rp.told["code"], verifier=verifier), error)


async def test_of_many_who_show_a_code_at_once_one_gets_tokens_and_none_keeps_them(
    rp: RelyingParty,
) -> None:
    await rp.authorize()
    answers = await asyncio.gather(*(rp.show_code(rp.told["code"]) for _ in range(5)))
    given = [one for one in answers if one.status_code == 200]
    assert len(given) <= 1
    for one in given:
        assert not (await rp.introspect(one.json()["access_token"]))["active"]
