"""The authorization endpoint and its pages: whom they trust, and what they give away."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import ISSUER, PASSWORD, Browser, answer, request
from tests.svc_auth.oauth2.relying_party import RelyingParty

pytestmark = pytest.mark.anyio
AUTHORIZE = f"{ISSUER}/oauth2/authorize"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
Register = Callable[..., Any]
MakeParty = Callable[..., RelyingParty]


async def _asked(rp: RelyingParty, **changes: Any) -> httpx.Response:
    return await rp.browser.go(AUTHORIZE, request(rp.client, **changes))


async def _refused(rp: RelyingParty, **changes: Any) -> str:
    """The error that comes back to the client, with its state and issuer."""
    rp.asked = request(rp.client, **changes)
    rp.told = answer(await rp.browser.go(AUTHORIZE, rp.asked))
    rp.check_answer()
    assert "code" not in rp.told
    return rp.told["error"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "later"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "9" * 11}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "A", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"nonce": "n" * 1025}, "invalid_request"),
        ({"nonce": "a\0b"}, "invalid_request"),
        ({"id_token_hint": "no.such.token"}, "invalid_request"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"scope": ["openid", "email"]}, "invalid_request"),
        ({"extra": ["a", "b"]}, "invalid_request"),
    ],
)
async def test_a_request_out_of_order_goes_back_as_an_error(
    rp: RelyingParty, changes: dict[str, Any], error: str
) -> None:
    assert await _refused(rp, **changes) == error


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": "a\0b"},
        {"client_id": "<script>"},
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_uri": "https://app.example/callback/"},
        {"redirect_uri": "https://app.example/callback?x=1"},
        {"redirect_uri": "https://app.example/callback#x"},
        {"redirect_uri": "https://app.example:443/callback"},
        {"redirect_uri": "https://APP.example/callback"},
        {"redirect_uri": "https://app.example/./callback"},
        {"redirect_uri": "https://app.example@evil.example/callback"},
        {"redirect_uri": "//evil.example"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ["https://app.example/callback", "https://evil.example"]},
    ],
)
async def test_nothing_is_sent_to_where_nobody_vouches_for(
    rp: RelyingParty, changes: dict[str, Any]
) -> None:
    response = await _asked(rp, **changes)
    assert (response.status_code, "location" in response.headers) == (400, False)
    assert rp.browser.seen[-1].alerts
    assert "<script>" not in response.text


async def test_what_cannot_be_read_is_a_page_too(http: httpx.AsyncClient) -> None:
    for query in ("client_id=%FF", "&".join(f"a{n}=1" for n in range(101))):
        assert (await http.get(f"/oauth2/authorize?{query}")).status_code == 400
    json = await http.post("/oauth2/authorize", json={"client_id": "x"})
    assert json.status_code == 400


async def test_pkce_is_a_must_unless_a_client_with_a_secret_is_let_off(
    register: Register, party: MakeParty
) -> None:
    for changes in ({"requirePkce": True}, {"public": True, "requirePkce": True}):
        rp = party(await register(**changes))
        assert await _refused(rp) == "invalid_request"
        assert "code_challenge" in rp.told["error_description"]


async def test_a_client_gets_no_scope_that_it_may_not_have(
    register: Register, party: MakeParty
) -> None:
    rp = party(await register(scopes=["openid", "email"]))
    tokens = await rp.flow(scope="openid email tokens.write")
    assert tokens.body["scope"] == "openid email"


async def test_consent_is_asked_once_and_again_for_more(rp: RelyingParty) -> None:
    await rp.flow(scope="openid email")
    mark = len(rp.browser.seen)
    await rp.flow(scope="email openid")
    assert rp.browser.asked_since(mark) == []
    assert await _refused(rp, scope="openid profile", prompt="none") == "consent_required"
    await rp.flow(scope="openid profile")
    assert rp.browser.asked_since(mark) == ["Allow An application?"]
    await rp.flow(scope="openid", prompt="consent")
    assert rp.browser.asked_since(mark) == ["Allow An application?"] * 2


async def test_an_application_that_anybody_can_pretend_to_be_is_asked_about_each_time(
    register: Register, party: MakeParty
) -> None:
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    for uri, again in (
        ("https://app.example/callback", []),
        ("http://127.0.0.1:8400/callback", ["Allow An application?"]),
        ("com.example.app:/callback", ["Allow An application?"]),
    ):
        rp = party(await register(public=True, requirePkce=True, redirectUris=[uri]))
        await rp.browser.authorize(request(rp.client, **pkce))
        mark = len(rp.browser.seen)
        await rp.browser.authorize(request(rp.client, **pkce))
        assert rp.browser.asked_since(mark) == again
        silent = answer(await _asked(rp, prompt="none", **pkce))
        assert silent.get("error") == ("consent_required" if again else None)


async def test_access_while_the_user_is_away_is_asked_for_each_time(rp: RelyingParty) -> None:
    asked = {"scope": "openid offline_access"}
    await rp.browser.authorize(request(rp.client, **asked))
    mark = len(rp.browser.seen)
    await rp.browser.authorize(request(rp.client, **asked))
    assert len(rp.browser.asked_since(mark)) == 1
    assert answer(await _asked(rp, prompt="none", **asked))["error"] == "consent_required"


async def test_another_account_may_be_used(rp: RelyingParty) -> None:
    first = await rp.flow()
    await _asked(rp, prompt="consent")
    await rp.browser.submit("switch")
    assert rp.browser.seen[-1].title.startswith("Log in")
    await rp.browser.submit("login", username="bob", password=PASSWORD)
    assert "bob" in rp.browser.seen[-1].text
    rp.asked["nonce"] = None
    told = answer(await rp.browser.submit("allow"))
    response = await rp.show_code(told["code"])
    info = await rp.http.get(
        "/userinfo", headers={"Authorization": f"Bearer {response.json()['access_token']}"}
    )
    assert info.json()["sub"] != first.id_token["sub"]


async def test_a_hint_at_somebody_else_is_login_required(rp: RelyingParty, issuer: Issuer) -> None:
    alice = await rp.flow()
    hint = alice.body["id_token"]
    async with issuer.http() as http:
        rp.browser = Browser(http=http, username="bob")
        await rp.flow()
        assert await _refused(rp, prompt="none", id_token_hint=hint) == "login_required"
        issuer.clock.forward(1)
        await _asked(rp, id_token_hint=hint)
        # Asked to be somebody else, and bob again: nobody is asked twice.
        response = await rp.browser.submit("login", username="bob", password=PASSWORD)
        assert answer(response)["error"] == "login_required"
        await _asked(rp, id_token_hint=hint)
        response = await rp.browser.submit("login", username="alice", password=PASSWORD)
        assert answer(response)["code"]


async def test_an_expired_id_token_is_a_hint_all_the_same(rp: RelyingParty, issuer: Issuer) -> None:
    tokens = await rp.flow()
    issuer.clock.forward(3600)
    again = await rp.flow(prompt="none", id_token_hint=tokens.body["id_token"])
    assert again.id_token["sub"] == tokens.id_token["sub"]


async def test_an_access_token_or_another_clients_id_token_is_no_hint(
    rp: RelyingParty, register: Register, party: MakeParty
) -> None:
    other = party(await register())
    tokens, others = await rp.flow(), await other.flow()
    for hint in (tokens.access, others.body["id_token"]):
        assert await _refused(rp, id_token_hint=hint) == "invalid_request"


async def test_a_login_ends_after_its_lifetime(rp: RelyingParty, issuer: Issuer) -> None:
    await rp.flow()
    issuer.clock.forward(12 * 3600)
    assert await _refused(rp, prompt="none") == "login_required"


async def test_the_cookie_is_for_this_host_and_for_no_script(rp: RelyingParty) -> None:
    page = await _asked(rp)
    cookie = page.headers["set-cookie"]
    assert cookie.startswith("__Host-leaky_session=")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"path=/", "secure", "httponly", "samesite=lax"}


async def test_a_login_gives_a_new_cookie_and_ends_the_old_one(
    rp: RelyingParty, issuer: Issuer
) -> None:
    jar = rp.browser.http.cookies
    await _asked(rp)
    planted = jar["__Host-leaky_session"]
    await rp.browser.submit("login", username="alice", password=PASSWORD)
    first = jar["__Host-leaky_session"]
    assert first != planted
    issuer.clock.forward(1)
    await rp.flow(prompt="login")
    assert jar["__Host-leaky_session"] != first
    for old in (planted, first):
        async with issuer.http() as http:
            http.cookies.set("__Host-leaky_session", old)
            rp.browser = Browser(http=http)
            assert await _refused(rp, prompt="none") == "login_required"


async def test_the_answer_may_come_as_a_form(rp: RelyingParty) -> None:
    await rp.flow()
    asked = request(rp.client, response_mode="form_post", state='"><b>')
    response = await rp.browser.go(AUTHORIZE, asked)
    form = rp.browser.seen[-1].form
    assert form is not None
    assert (form.action, form.method) == (rp.client.redirect_uri, "post")
    assert form.fields["state"] == '"><b>'
    assert form.fields["iss"] == ISSUER
    assert response.headers["cache-control"] == "no-store"
    policy = response.headers["content-security-policy"]
    assert "form-action 'self' https://app.example;" in policy
    assert "script-src 'sha256-" in policy
    rp.asked = asked
    assert await rp.exchange(form.fields["code"])


async def test_redirect_uris_keep_their_queries_and_private_schemes_work(
    register: Register, party: MakeParty
) -> None:
    for uri, source in (
        ("https://app.example/cb?tenant=a&x=%20y", "https://app.example"),
        ("https://app.example/cb?flag&x=a+b%2Fc", "https://app.example"),
        ("com.example.app:/callback", "com.example.app:"),
        ("http://127.0.0.1:8400/callback", "http://127.0.0.1:8400"),
    ):
        rp = party(await register(redirectUris=[uri]))
        page = await _asked(rp, prompt="consent")
        assert f"form-action 'self' {source};" in page.headers["content-security-policy"]
        if rp.browser.seen[-1].title.startswith("Log in"):
            await rp.browser.submit("login", username="alice", password=PASSWORD)
        response = await rp.browser.submit("allow")
        location = response.headers["location"]
        kept = uri if "?" in uri else f"{uri}?"
        assert location.startswith(kept)
        assert location.removeprefix(kept).lstrip("&").startswith("code=")


async def test_a_form_of_another_site_finds_the_login(rp: RelyingParty) -> None:
    # A browser sends no SameSite=Lax cookie along with such a form, but with the
    # redirect that answers it.
    asked = request(rp.client)
    async with httpx.AsyncClient(
        transport=rp.browser.http._transport, base_url=ISSUER
    ) as without_cookie:
        response = await without_cookie.post("/oauth2/authorize", data=asked)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/oauth2/authorize?")
    assert "set-cookie" not in response.headers
