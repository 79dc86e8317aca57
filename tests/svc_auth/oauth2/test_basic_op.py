"""OpenID's Basic OP test plan (oidcc-basic-certification-test-plan), under its modules' names.

The modules run as in the certification with discovery and static clients that
have client_secret_basic and no PKCE, unless the module says otherwise. Where
one waits, the clock is put forward instead.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import ISSUER, Browser, answer, request
from tests.svc_auth.oauth2.relying_party import RelyingParty, Tokens

pytestmark = pytest.mark.anyio
MODULES = (
    "oidcc-server",
    "oidcc-response-type-missing",
    "oidcc-idtoken-signature",
    "oidcc-idtoken-unsigned",
    "oidcc-userinfo-get",
    "oidcc-userinfo-post-header",
    "oidcc-userinfo-post-body",
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
    "oidcc-scope-profile",
    "oidcc-scope-email",
    "oidcc-scope-address",
    "oidcc-scope-phone",
    "oidcc-scope-all",
    # Its name in earlier versions of the plan, and its name now.
    "oidcc-ensure-other-scope-order-succeeds",
    "oidcc-alternate-happy-flow",
    "oidcc-display-page",
    "oidcc-display-popup",
    "oidcc-prompt-login",
    "oidcc-prompt-none-not-logged-in",
    "oidcc-prompt-none-logged-in",
    "oidcc-max-age-1",
    "oidcc-max-age-10000",
    "oidcc-ensure-request-with-unknown-parameter-succeeds",
    "oidcc-id-token-hint",
    "oidcc-login-hint",
    "oidcc-ui-locales",
    "oidcc-claims-locales",
    "oidcc-ensure-request-with-acr-values-succeeds",
    "oidcc-codereuse",
    "oidcc-codereuse-30seconds",
    "oidcc-ensure-registered-redirect-uri",
    "oidcc-ensure-post-request-succeeds",
    "oidcc-server-client-secret-post",
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
    "oidcc-claims-essential",
    "oidcc-ensure-request-object-with-redirect-uri",
    "oidcc-refresh-token",
    "oidcc-ensure-request-with-valid-pkce-succeeds",
)
Register = Callable[..., Any]
MakeParty = Callable[..., RelyingParty]


def test_every_module_of_the_plan_is_here() -> None:
    assert {name for name in globals() if name.startswith("test_oidcc_")} == {
        f"test_{module.replace('-', '_')}" for module in MODULES
    }


async def _metadata(http: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await http.get("/.well-known/openid-configuration")).json())


def _unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    encoded = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return ".".join(part.decode() for part in encoded) + "."


def _check_invalid_grant(response: httpx.Response) -> None:
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body["error"] == "invalid_grant"
    assert set(body) <= {"error", "error_description", "error_uri"}
    assert all(
        0x20 <= ord(char) <= 0x7E and char not in '"\\' for char in body["error_description"]
    )


async def test_oidcc_server(rp: RelyingParty) -> None:
    tokens = await rp.flow()
    await rp.userinfo(tokens)
    assert tokens.kid


async def test_oidcc_response_type_missing(rp: RelyingParty) -> None:
    rp.asked = request(rp.client, response_type=None)
    rp.told = await rp.browser.authorize(rp.asked)
    rp.check_answer()
    assert rp.told["error"] in {"unsupported_response_type", "invalid_request"}
    assert "code" not in rp.told


async def test_oidcc_idtoken_signature(rp: RelyingParty) -> None:
    # `checked` takes RS256 alone, and finds the key by the token's kid.
    tokens = await rp.flow()
    jwks = (await rp.http.get("/oauth2/jwks")).json()
    [key] = [key for key in jwks["keys"] if key["kid"] == tokens.kid]
    assert (key["kty"], key["alg"]) == ("RSA", "RS256")


async def test_oidcc_idtoken_unsigned(rp: RelyingParty) -> None:
    # The module ends where `none` is not supported: an OP need not, and ours must not.
    metadata = await _metadata(rp.http)
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256"]
    assert (await rp.flow()).kid


async def test_oidcc_userinfo_get(rp: RelyingParty) -> None:
    await rp.userinfo(await rp.flow())


async def test_oidcc_userinfo_post_header(rp: RelyingParty) -> None:
    tokens = await rp.flow()
    response = await rp.http.post("/userinfo", headers=tokens.bearer)
    assert (response.status_code, response.json()["sub"]) == (200, tokens.id_token["sub"])


async def test_oidcc_userinfo_post_body(rp: RelyingParty) -> None:
    tokens = await rp.flow()
    response = await rp.http.post("/userinfo", data={"access_token": tokens.access})
    assert (response.status_code, response.json()["sub"]) == (200, tokens.id_token["sub"])


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(rp: RelyingParty) -> None:
    assert "nonce" not in (await rp.flow(nonce=None)).id_token


async def test_oidcc_scope_profile(rp: RelyingParty) -> None:
    info = await rp.userinfo(await rp.flow(scope="openid profile"))
    assert set(info) == {"sub", "preferred_username"}


async def test_oidcc_scope_email(rp: RelyingParty) -> None:
    info = await rp.userinfo(await rp.flow(scope="openid email"))
    assert info["email"] == "alice@example.com"
    assert info["email_verified"] is False
    assert set(info) == {"sub", "email", "email_verified"}


@pytest.mark.parametrize("scope", ["address"])
async def test_oidcc_scope_address(rp: RelyingParty, scope: str) -> None:
    await _check_unsupported(rp, scope)


@pytest.mark.parametrize("scope", ["phone"])
async def test_oidcc_scope_phone(rp: RelyingParty, scope: str) -> None:
    await _check_unsupported(rp, scope)


async def _check_unsupported(rp: RelyingParty, scope: str) -> None:
    # The module ends where scopes_supported does not name the scope; such a
    # request must still succeed, and the answer say what was granted.
    assert scope not in (await _metadata(rp.http))["scopes_supported"]
    tokens = await rp.flow(scope=f"openid {scope}")
    assert tokens.body["scope"] == "openid"
    assert set(await rp.userinfo(tokens)) == {"sub"}


async def test_oidcc_scope_all(rp: RelyingParty) -> None:
    info = await rp.userinfo(await rp.flow(scope="openid profile email address phone"))
    assert set(info) == {"sub", "preferred_username", "email", "email_verified"}


async def test_oidcc_ensure_other_scope_order_succeeds(rp: RelyingParty) -> None:
    assert "email" in await rp.userinfo(await rp.flow(scope="email openid"))


async def test_oidcc_alternate_happy_flow(rp: RelyingParty) -> None:
    rp.asked = dict(reversed(request(rp.client, scope="email openid").items()))
    rp.told = await rp.browser.authorize(rp.asked)
    rp.check_answer()
    assert "email" in await rp.userinfo(await rp.exchange(rp.told["code"]))


@pytest.mark.parametrize("display", ["page"])
async def test_oidcc_display_page(rp: RelyingParty, display: str) -> None:
    assert await rp.flow(display=display)


@pytest.mark.parametrize("display", ["popup"])
async def test_oidcc_display_popup(rp: RelyingParty, display: str) -> None:
    assert await rp.flow(display=display)


async def test_oidcc_prompt_login(rp: RelyingParty, issuer: Issuer) -> None:
    first = await rp.flow()
    issuer.clock.forward(1)
    mark = len(rp.browser.seen)
    second = await rp.flow(prompt="login")
    assert rp.browser.asked_since(mark) == ["Log in"]
    assert second.id_token["auth_time"] > first.id_token["auth_time"]
    assert second.id_token["sub"] == first.id_token["sub"]


async def test_oidcc_prompt_none_not_logged_in(rp: RelyingParty) -> None:
    rp.asked = request(rp.client, prompt="none", state=secrets.token_urlsafe(96))
    rp.told = answer(await rp.browser.go(f"{ISSUER}/oauth2/authorize", rp.asked))
    rp.check_answer()
    assert rp.told["error"] == "login_required"
    assert "code" not in rp.told


async def _twice(rp: RelyingParty, first: dict[str, Any], second: dict[str, Any]) -> Tokens:
    """Two authorizations, the second of which asks nothing and finds the same login."""
    one = await rp.flow(**first)
    if "id_token_hint" in second:
        second["id_token_hint"] = one.body["id_token"]
    mark = len(rp.browser.seen)
    two: Tokens = await rp.flow(**second)
    assert rp.browser.asked_since(mark) == []
    for name in ("sub", "auth_time"):
        assert two.id_token[name] == one.id_token[name]
    return two


async def test_oidcc_prompt_none_logged_in(rp: RelyingParty, issuer: Issuer) -> None:
    issuer.clock.forward(1)
    assert await _twice(rp, {}, {"prompt": "none"})


async def test_oidcc_max_age_1(rp: RelyingParty, issuer: Issuer) -> None:
    first = await rp.flow()
    issuer.clock.forward(2)
    mark = len(rp.browser.seen)
    second = await rp.flow(max_age=1)
    assert rp.browser.asked_since(mark) == ["Log in"]
    assert second.id_token["auth_time"] > first.id_token["auth_time"]
    assert issuer.clock.now_us() // 1_000_000 - second.id_token["auth_time"] <= 1


async def test_oidcc_max_age_10000(rp: RelyingParty, issuer: Issuer) -> None:
    issuer.clock.forward(1)
    assert (await _twice(rp, {"max_age": 15_000}, {"max_age": 10_000})).id_token["auth_time"]


async def test_oidcc_ensure_request_with_unknown_parameter_succeeds(rp: RelyingParty) -> None:
    assert await rp.flow(extra="foobar")


async def test_oidcc_id_token_hint(rp: RelyingParty) -> None:
    assert await _twice(rp, {}, {"prompt": "none", "id_token_hint": ""})


async def test_oidcc_login_hint(rp: RelyingParty) -> None:
    await rp.flow(login_hint="alice")
    form = rp.browser.seen[0].form
    assert form is not None
    assert form.fields["username"] == "alice"


async def test_oidcc_ui_locales(rp: RelyingParty) -> None:
    assert await rp.flow(ui_locales="se")


async def test_oidcc_claims_locales(rp: RelyingParty) -> None:
    assert await rp.flow(claims_locales="se")


async def test_oidcc_ensure_request_with_acr_values_succeeds(rp: RelyingParty) -> None:
    assert "acr_values_supported" not in await _metadata(rp.http)
    assert await rp.flow(acr_values="1 2")


async def test_oidcc_codereuse(rp: RelyingParty) -> None:
    await rp.flow()
    _check_invalid_grant(await rp.show_code(rp.told["code"]))


async def test_oidcc_codereuse_30seconds(rp: RelyingParty, issuer: Issuer) -> None:
    tokens = await rp.flow()
    issuer.clock.forward(30)
    _check_invalid_grant(await rp.show_code(rp.told["code"]))
    # What was issued for the code is revoked (RFC 6749, section 4.1.2).
    userinfo = await rp.http.get("/userinfo", headers=tokens.bearer)
    assert userinfo.status_code == 401
    assert 'error="invalid_token"' in userinfo.headers["www-authenticate"]


async def test_oidcc_ensure_registered_redirect_uri(rp: RelyingParty) -> None:
    bad = f"{rp.client.redirect_uri}/{secrets.token_urlsafe(8)}"
    response = await rp.browser.go(
        f"{ISSUER}/oauth2/authorize", request(rp.client, redirect_uri=bad)
    )
    assert (response.status_code, "location" in response.headers) == (400, False)
    assert "address to return to" in rp.browser.seen[-1].alerts[0]


async def test_oidcc_ensure_post_request_succeeds(rp: RelyingParty) -> None:
    await rp.userinfo(await rp.flow(post=True))


async def test_oidcc_server_client_secret_post(register: Register, party: MakeParty) -> None:
    rp = party(await register(), post_secret=True)
    await rp.userinfo(await rp.flow())


async def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(
    rp: RelyingParty,
) -> None:
    assert (await _metadata(rp.http))["request_uri_parameter_supported"] is False
    rp.asked = request(rp.client, request_uri="https://app.example/request.jwt")
    rp.told = await rp.browser.authorize(rp.asked)
    rp.check_answer()
    assert rp.told["error"] == "request_uri_not_supported"


async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    rp: RelyingParty,
) -> None:
    assert (await _metadata(rp.http))["request_parameter_supported"] is False
    asked = request(rp.client)
    rp.asked = asked | {"request": _unsigned(asked)}
    rp.told = await rp.browser.authorize(rp.asked)
    rp.check_answer()
    assert rp.told["error"] == "request_not_supported"


async def test_oidcc_claims_essential(rp: RelyingParty) -> None:
    # Without claims_parameter_supported the parameter is ignored, and the request succeeds.
    assert (await _metadata(rp.http))["claims_parameter_supported"] is False
    tokens = await rp.flow(claims=json.dumps({"userinfo": {"name": {"essential": True}}}))
    assert "name" not in tokens.id_token
    await rp.userinfo(tokens)


async def test_oidcc_ensure_request_object_with_redirect_uri(rp: RelyingParty) -> None:
    asked = request(rp.client)
    bad = f"{rp.client.redirect_uri}/{secrets.token_urlsafe(8)}"
    response = await rp.browser.go(
        f"{ISSUER}/oauth2/authorize",
        asked | {"request": _unsigned(asked), "redirect_uri": bad},
    )
    assert (response.status_code, "location" in response.headers) == (400, False)
    assert "address to return to" in rp.browser.seen[-1].alerts[0]


async def test_oidcc_refresh_token(
    rp: RelyingParty, register: Register, party: MakeParty, issuer: Issuer
) -> None:
    other = party(await register(), browser=Browser(http=issuer.http()))
    for each in (rp, other):
        first = await each.flow(scope="openid offline_access", prompt="consent")
        issuer.clock.forward(1)
        second = await each.refresh(first)
        assert second.access != first.access
        assert second.body["refresh_token"] != first.body["refresh_token"]
        for name in ("iss", "sub", "aud", "azp", "auth_time"):
            assert second.id_token[name] == first.id_token[name]
        assert second.id_token["iat"] > first.id_token["iat"]
        await each.userinfo(second)
    # The second client's refresh token is worth nothing to the first.
    stolen = second.body["refresh_token"]
    _check_invalid_grant(await rp.token(grant_type="refresh_token", refresh_token=stolen))
    await other.browser.http.aclose()


async def test_oidcc_ensure_request_with_valid_pkce_succeeds(rp: RelyingParty) -> None:
    verifier = secrets.token_urlsafe(48)
    challenge = create_s256_code_challenge(verifier)
    assert await rp.flow(verifier=verifier, code_challenge=challenge, code_challenge_method="S256")
