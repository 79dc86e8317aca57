"""OpenID Connect RP-Initiated Logout 1.0; the cases of its OP test plan by their names."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from svc_auth.domain.audit import Action, AuditQuery
from svc_auth.stores import STORES
from tests.svc_auth.oauth2.conftest import Issuer
from tests.svc_auth.oauth2.driver import ISSUER, PASSWORD, Browser, request
from tests.svc_auth.oauth2.relying_party import RelyingParty

pytestmark = pytest.mark.anyio
LOGOUT = f"{ISSUER}/oauth2/logout"
OUT = "https://app.example/out?a=b"
Register = Callable[..., Any]
MakeParty = Callable[..., RelyingParty]


@pytest.fixture
async def rp(register: Register, party: MakeParty) -> RelyingParty:
    """A client that has somewhere to go after a logout."""
    uris = [OUT, "com.example.app:/out"]
    return party(await register(postLogoutRedirectUris=uris))


async def _hint(rp: RelyingParty, **changes: Any) -> str:
    tokens = await rp.flow(**changes)
    return str(tokens.body["id_token"])


async def _ask(rp: RelyingParty, *, post: bool = False, **params: Any) -> httpx.Response:
    return await (rp.browser.post if post else rp.browser.go)(LOGOUT, params)


def _went_on(response: httpx.Response, uri: str = OUT, **said: str) -> None:
    assert response.status_code == 303, response.text
    location = response.headers["location"]
    assert location.startswith(uri)
    expected = parse_qs(urlsplit(uri).query) | {name: [value] for name, value in said.items()}
    assert parse_qs(urlsplit(location).query) == expected


async def _logged_in(rp: RelyingParty) -> bool:
    """Whether a request that may ask nothing is answered."""
    told = await rp.browser.authorize(request(rp.client, prompt="none"))
    assert told.get("error") in {None, "login_required"}
    return "code" in told


async def _shown(rp: RelyingParty, response: httpx.Response, title: str, status: int = 200) -> None:
    assert response.status_code == status
    assert rp.browser.seen[-1].title == f"{title} - Leaky Tokens"


@pytest.mark.parametrize("post", [False, True])
async def test_oidcc_rp_initiated_logout(rp: RelyingParty, *, post: bool) -> None:
    hint = await _hint(rp)
    response = await _ask(
        rp, post=post, id_token_hint=hint, post_logout_redirect_uri=OUT, state="a&b=c é"
    )
    _went_on(response, state="a&b=c é")
    assert not await _logged_in(rp)


async def test_oidcc_rp_initiated_logout_no_state(rp: RelyingParty) -> None:
    hint = await _hint(rp)
    _went_on(await _ask(rp, id_token_hint=hint, post_logout_redirect_uri=OUT))


async def test_oidcc_rp_initiated_logout_only_state(rp: RelyingParty) -> None:
    await _hint(rp)
    await _shown(rp, await _ask(rp, state="x"), "Log out?")
    assert await _logged_in(rp)


async def test_oidcc_rp_initiated_logout_no_params(rp: RelyingParty) -> None:
    await _hint(rp)
    await _shown(rp, await _ask(rp), "Log out?")
    assert "alice" in rp.browser.seen[-1].text
    await _shown(rp, await rp.browser.submit("stay"), "Still logged in")
    assert await _logged_in(rp)
    await _ask(rp)
    await _shown(rp, await rp.browser.submit("logout"), "Logged out")
    assert not await _logged_in(rp)
    await _shown(rp, await _ask(rp), "Logged out")


async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(rp: RelyingParty) -> None:
    hint = await _hint(rp)
    await _shown(rp, await _ask(rp, id_token_hint=hint, state="x"), "Logged out")
    assert not await _logged_in(rp)


async def test_oidcc_rp_initiated_logout_no_id_token_hint(rp: RelyingParty) -> None:
    await _hint(rp)
    response = await _ask(rp, post_logout_redirect_uri=OUT, state="x")
    await _shown(rp, response, "This does not work", 400)
    assert await _logged_in(rp)


@pytest.mark.parametrize(
    "uri",
    [
        *("https://app.example/callback", "https://app.example/out", "https://evil.example/out"),
        *(f"{OUT}&c=d", f"{OUT}/", OUT.upper(), "", "javascript:alert(1)", "//evil.example"),
    ],
)
async def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(
    rp: RelyingParty, uri: str
) -> None:
    hint = await _hint(rp)
    response = await _ask(rp, id_token_hint=hint, post_logout_redirect_uri=uri, state="x")
    if not uri:
        # What is sent without a value was not sent.
        await _shown(rp, response, "Logged out")
        return
    await _shown(rp, response, "This does not work", 400)
    assert await _logged_in(rp)


@pytest.mark.parametrize("how", ["modified", "garbage", "access token", "session's token"])
async def test_oidcc_rp_initiated_logout_bad_id_token_hint(rp: RelyingParty, how: str) -> None:
    tokens = await rp.flow()
    head, body, signature = str(tokens.body["id_token"]).split(".")
    login = {"username": "alice", "password": PASSWORD}
    bad = {
        "modified": ".".join((head, body, signature[::-1])),
        "garbage": "a.b.c",
        "access token": tokens.access,
        "session's token": (await rp.http.post("/api/v1/auth/login", json=login)).json()["token"],
    }[how]
    await _shown(rp, await _ask(rp, id_token_hint=bad), "Log out?")
    refused = await _ask(rp, id_token_hint=bad, post_logout_redirect_uri=OUT)
    await _shown(rp, refused, "This does not work", 400)
    assert await _logged_in(rp)


async def test_a_client_that_names_itself_has_the_user_asked_and_sent_on(rp: RelyingParty) -> None:
    await _hint(rp)
    params: dict[str, Any] = {
        "client_id": rp.client.id,
        "post_logout_redirect_uri": OUT,
        "state": "x",
    }
    response = await _ask(rp, **params)
    await _shown(rp, response, "Log out?")
    assert "An application" in rp.browser.seen[-1].text
    assert "app.example" in rp.browser.seen[-1].text
    assert "form-action 'self' https://app.example;" in response.headers["content-security-policy"]
    assert await _logged_in(rp)
    await _ask(rp, **params)
    _went_on(await rp.browser.submit("logout"), state="x")
    assert not await _logged_in(rp)
    # Nobody is left who could be asked.
    _went_on(await _ask(rp, **params), state="x")


async def test_a_hint_for_another_client_than_the_named_one_is_refused(
    rp: RelyingParty, register: Register
) -> None:
    hint, other = await _hint(rp), await register()
    response = await _ask(rp, id_token_hint=hint, client_id=other.id)
    await _shown(rp, response, "This does not work", 400)
    assert await _logged_in(rp)
    named = await _ask(rp, id_token_hint=hint, client_id=rp.client.id)
    await _shown(rp, named, "Logged out")


@pytest.fixture
async def bobs(issuer: Issuer) -> AsyncIterator[Browser]:
    async with issuer.http() as client:
        yield Browser(http=client, username="bob")


async def test_a_hint_about_another_user_has_the_user_asked(
    rp: RelyingParty, party: MakeParty, bobs: Browser
) -> None:
    hint = await _hint(rp)
    other = party(rp.client, browser=bobs)
    await other.flow()
    response = await _ask(other, id_token_hint=hint, post_logout_redirect_uri=OUT)
    await _shown(other, response, "Log out?")
    assert "bob" in bobs.seen[-1].text
    assert await _logged_in(other)
    assert await _logged_in(rp)


async def test_a_hint_that_has_expired_is_as_good(issuer: Issuer, rp: RelyingParty) -> None:
    hint = await _hint(rp)
    issuer.clock.forward(3_600)
    assert await _logged_in(rp)
    _went_on(await _ask(rp, id_token_hint=hint, post_logout_redirect_uri=OUT))
    assert not await _logged_in(rp)
    # And again, when there is nothing left to end.
    _went_on(await _ask(rp, id_token_hint=hint, post_logout_redirect_uri=OUT))


async def test_nobody_else_can_have_made_the_form(rp: RelyingParty, bobs: Browser) -> None:
    await _hint(rp)
    await _ask(rp)
    form = rp.browser.seen[-1].form
    assert form is not None
    given = form.fields | {"action": "logout"}
    confirm = f"{LOGOUT}/confirm"
    broken: tuple[Mapping[str, str], ...] = (
        {**given, "csrf_token": ""},
        {**given, "csrf_token": "0" * 64},
        {**given, "ticket": given["ticket"][:-4]},
        {"action": "logout"},
    )
    for fields in broken:
        await _shown(rp, await rp.browser.post(confirm, fields), "This does not work", 400)
    assert (await bobs.post(confirm, given)).status_code == 400
    assert await _logged_in(rp)


async def test_the_form_is_good_for_an_hour(issuer: Issuer, rp: RelyingParty) -> None:
    await _hint(rp)
    await _ask(rp)
    issuer.clock.forward(3_601)
    await _shown(rp, await rp.browser.submit("logout"), "This does not work", 400)
    assert await _logged_in(rp)


async def test_a_parameter_that_comes_twice_is_refused(rp: RelyingParty) -> None:
    await _hint(rp)
    response = await rp.browser.go(f"{LOGOUT}?client_id={rp.client.id}&client_id=another")
    await _shown(rp, response, "This does not work", 400)


async def test_a_logout_takes_the_cookie_ends_this_login_alone_and_is_written_down(
    issuer: Issuer, rp: RelyingParty, party: MakeParty, bobs: Browser
) -> None:
    tokens = await rp.flow(scope="openid offline_access")
    elsewhere = party(rp.client, browser=bobs)
    bobs.username = "alice"
    await elsewhere.flow()
    response = await _ask(rp, id_token_hint=tokens.body["id_token"])
    cookie = response.headers["set-cookie"]
    assert cookie.startswith('__Host-leaky_session=""')
    assert {"Max-Age=0", "Path=/", "Secure", "HttpOnly"} <= set(cookie.split("; "))
    assert response.headers["cache-control"] == "no-store"
    assert not rp.browser.http.cookies
    assert await _logged_in(elsewhere)
    # What was allowed goes on.
    await rp.refresh(tokens)
    user = tokens.id_token["sub"]
    async with STORES.open(issuer.settings.store_url) as stores:
        query = AuditQuery(user=user, action=Action.LOGOUT)
        [line] = await stores.audit.lines(query, before=None, limit=1)
    entry = line.entry
    assert (entry.caller.actor, entry.subject_id, entry.detail) == (user, user, "BROWSER")
    assert entry.at == issuer.clock.now


async def test_the_pages_lead_to_the_logout_where_somebody_is_logged_in(rp: RelyingParty) -> None:
    link = 'href="/oauth2/logout"'
    url = f"{ISSUER}/oauth2/authorize"
    login = await rp.browser.go(url, request(rp.client))
    assert link not in login.text
    consent = await rp.browser.submit("login", username="alice", password=PASSWORD)
    assert link in consent.text
    switched = await rp.browser.submit("switch")
    assert rp.browser.seen[-1].title.startswith("Log in")
    assert link in switched.text
    assert "You are logged in as alice" in rp.browser.seen[-1].text
    wrong = await rp.browser.submit("login", username="bob", password="wrong horse")
    assert link in wrong.text
    await _ask(rp)
    await rp.browser.submit("logout")
    assert link not in (await rp.browser.go(url, request(rp.client))).text


async def test_the_logout_page_can_be_used_by_everybody(rp: RelyingParty) -> None:
    await _hint(rp)
    response = await _ask(rp)
    page = rp.browser.seen[-1]
    assert page.lang == "en"
    assert page.form is not None
    assert page.form.method == "post"
    assert page.form.buttons == [("action", "logout"), ("action", "stay")]
    assert response.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


async def test_where_a_browser_goes_must_be_registrable(http: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {
        "name": "An application",
        "redirectUris": ["https://app.example/callback"],
        "scopes": ["openid"],
    }
    for uris in (["http://app.example/"], ["/out"], [OUT, OUT], ["https://a.example/#b"]):
        made = await http.post(
            "/api/v1/oauth2/clients", json=body | {"postLogoutRedirectUris": uris}
        )
        assert made.status_code == 400
        assert [one["field"] for one in made.json()["errors"]] == ["postLogoutRedirectUris"]
    itself = {
        "name": "A program",
        "scopes": ["tokens.read"],
        "grantTypes": ["client_credentials"],
        "postLogoutRedirectUris": [OUT],
    }
    assert (await http.post("/api/v1/oauth2/clients", json=itself)).status_code == 400
    listed = (await http.get("/api/v1/oauth2/clients")).json()
    assert {tuple(one["postLogoutRedirectUris"]) for one in listed} >= {()}
