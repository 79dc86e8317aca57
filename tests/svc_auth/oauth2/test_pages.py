"""The pages for login and consent: what they say, and what they let nobody do."""

import hashlib
import hmac
import json
import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.svc_auth.oauth2.conftest import Hands, Issuer, started
from tests.svc_auth.oauth2.driver import ISSUER, PASSWORD, Client, Page, answer, request
from tests.svc_auth.oauth2.relying_party import RelyingParty

pytestmark = pytest.mark.anyio
AUTHORIZE = f"{ISSUER}/oauth2/authorize"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
Register = Callable[..., Any]
MakeParty = Callable[..., RelyingParty]


async def _asked(rp: RelyingParty, **changes: Any) -> httpx.Response:
    return await rp.browser.go(AUTHORIZE, request(rp.client, **changes))


async def test_the_pages_cannot_be_framed_kept_or_made_to_send_elsewhere(rp: RelyingParty) -> None:
    login = await _asked(rp)
    consent = await rp.browser.submit("login", username="alice", password=PASSWORD)
    for page in (login, consent):
        headers = page.headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        policy = dict(
            part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self' https://app.example"
        [style] = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
        digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy["style-src"] == f"'sha256-{digest}'"


async def test_the_pages_can_be_used_by_everybody(rp: RelyingParty) -> None:
    await _asked(rp)
    login = rp.browser.seen[-1]
    assert login.lang == "en"
    assert {"username", "password"} <= set(login.labels)
    assert set(login.labels) <= login.ids
    assert login.title.startswith("Log in")
    await rp.browser.submit("login", username="alice", password=PASSWORD)
    consent = rp.browser.seen[-1]
    assert consent.form is not None
    assert [value for _, value in consent.form.buttons] == ["allow", "deny", "switch"]
    assert "An application" in consent.text
    assert "alice" in consent.text
    assert "app.example" in consent.text


async def test_what_a_client_is_called_is_text_and_nothing_else(
    register: Register, party: MakeParty
) -> None:
    rp = party(await register(name='<img src=x onerror="alert(1)">&amp;'))
    response = await _asked(rp, login_hint='"><script>alert(1)</script>', state="</title>")
    assert "<img" not in response.text
    assert "<script" not in response.text
    form = rp.browser.seen[-1].form
    assert form is not None
    assert form.fields["username"] == '"><script>alert(1)</script>'


async def test_a_wrong_password_is_said_and_may_be_tried_again(rp: RelyingParty) -> None:
    await _asked(rp)
    wrong = await rp.browser.submit("login", username="alice", password="wrong horse")
    assert wrong.status_code == 400
    assert rp.browser.seen[-1].alerts == ["Wrong user name or password."]
    unknown = await rp.browser.submit("login", username="nobody", password="wrong horse")
    assert unknown.text.replace("nobody", "alice").count("Wrong user name") == 1
    empty = await rp.browser.submit("login", username="", password="")
    assert empty.status_code == 400
    right = await rp.browser.submit("login", username="alice", password=PASSWORD)
    assert rp.browser.seen[-1].title.startswith("Allow")
    assert PASSWORD not in right.text


async def test_who_guesses_too_often_is_told_when_to_come_again(
    rp: RelyingParty, issuer: Issuer
) -> None:
    await _asked(rp)
    for _ in range(issuer.settings.policy.login.tries + 1):
        sent = await rp.browser.submit("login", username="guessed", password="wrong horse")
    assert sent.status_code == 429
    assert int(sent.headers["retry-after"]) >= 1
    assert rp.browser.seen[-1].alerts == ["Too many logins have failed; try again later."]


async def test_who_is_disabled_is_told_so(rp: RelyingParty, issuer: Issuer) -> None:
    user_id = await issuer.register_user("carol")
    gone = await rp.http.post(f"/api/v1/users/{user_id}/disable", json={})
    assert gone.is_success, gone.text
    await _asked(rp)
    sent = await rp.browser.submit("login", username="carol", password=PASSWORD)
    assert sent.status_code == 403
    assert rp.browser.seen[-1].alerts == ["The user is disabled."]


@pytest.mark.parametrize("button", ["cancel", "deny"])
async def test_who_says_no_is_heard(rp: RelyingParty, button: str) -> None:
    rp.asked = request(rp.client)
    await rp.browser.go(AUTHORIZE, rp.asked)
    if button == "deny":
        await rp.browser.submit("login", username="alice", password=PASSWORD)
    rp.told = answer(await rp.browser.submit(button))
    rp.check_answer()
    assert rp.told["error"] == "access_denied"


async def test_a_form_from_elsewhere_does_nothing(rp: RelyingParty, issuer: Issuer) -> None:
    await _asked(rp)
    form = rp.browser.seen[-1].form
    assert form is not None
    good = form.fields | {"username": "alice", "password": PASSWORD, "action": "login"}
    async with issuer.http() as elsewhere:
        await elsewhere.get(AUTHORIZE, params=request(rp.client))
        # Another browser's form, and forms that were changed.
        assert (await elsewhere.post("/oauth2/login", data=good)).status_code == 400
    for change in (
        {"csrf_token": "0" * 64},
        {"csrf_token": ""},
        {"ticket": form.fields["ticket"][4:]},
    ):
        response = await rp.browser.http.post("/oauth2/login", data=good | change)
        assert response.status_code == 400
        assert "set-cookie" not in response.headers
    for path in ("login", "consent"):
        assert (await rp.browser.http.post(f"/oauth2/{path}")).status_code == 400
        assert (await rp.browser.http.get(f"/oauth2/{path}")).status_code == 405


def _proofs(cookie: str, ticket: str) -> list[str]:
    """What whoever has the cookie can make of it and a ticket, and knows no key."""
    texts = [f"{one}{cookie} {ticket}".encode() for one in ("leaky opaque csrf ", "csrf ", "")]
    plain = [hashlib.sha256(text).hexdigest() for text in texts]
    keyed = [hmac.digest(cookie.encode(), text, "sha256").hex() for text in (*texts, b"")]
    return [*plain, *keyed, ""]


async def test_whoever_has_the_cookie_cannot_change_when_it_was_asked(
    rp: RelyingParty, issuer: Issuer
) -> None:
    await rp.flow()
    issuer.clock.forward(60)
    # A minute ago the user logged in, and now the client wants that anew.
    await _asked(rp, prompt="login")
    form = rp.browser.seen[-1].form
    assert form is not None
    assert rp.browser.seen[-1].title.startswith("Log in")
    cookie = next(one.value for one in rp.browser.http.cookies.jar if "session" in one.name)
    asked = json.loads(urlsafe_b64decode(form.fields["ticket"]))
    earlier = {**asked, "at": asked["at"] - 120_000_000}
    ticket = urlsafe_b64encode(json.dumps(earlier).encode()).decode()
    for proof in (form.fields["csrf_token"], *_proofs(cookie or "", ticket)):
        forged = {"ticket": ticket, "csrf_token": proof, "action": "allow"}
        response = await rp.browser.http.post("/oauth2/consent", data=forged)
        assert response.status_code == 400, response.headers


async def test_a_proof_is_of_one_cookie_and_one_ticket(rp: RelyingParty, issuer: Issuer) -> None:
    await _asked(rp)
    form = rp.browser.seen[-1].form
    assert form is not None
    cookie = next(one.value for one in rp.browser.http.cookies.jar if "session" in one.name)
    good = form.fields | {"username": "alice", "password": PASSWORD, "action": "login"}
    ticket = good["ticket"]
    # The same bytes behind each other, but for where the one ends and the other begins.
    for other, rest in ((f"{cookie}{ticket[:4]}", ticket[4:]), (str(cookie)[:-4], ticket)):
        async with issuer.http() as elsewhere:
            elsewhere.cookies.set("__Host-leaky_session", other)
            response = await elsewhere.post("/oauth2/login", data=good | {"ticket": rest})
            assert response.status_code == 400


async def test_a_form_is_good_at_another_instance_with_the_same_keys(tmp_path: Path) -> None:
    clock = Hands()
    async with started(tmp_path, clock) as first, started(tmp_path, clock) as second:
        await first.register_user("alice")
        async with first.http() as http:
            given = {
                "name": "An application",
                "redirectUris": ["https://app.example/callback"],
                "scopes": ["openid"],
                "grantTypes": ["authorization_code"],
                "requirePkce": False,
            }
            made = await http.post("/api/v1/oauth2/clients", json=given)
            client = Client(id=made.json()["clientId"], secret="")
            form = Page(await http.get(AUTHORIZE, params=request(client))).form
            assert form is not None
            async with second.http() as other:
                other.cookies = http.cookies
                sent = form.fields | {"username": "alice", "password": PASSWORD, "action": "login"}
                assert (await other.post("/oauth2/login", data=sent)).status_code == 200


async def test_consent_cannot_be_given_by_a_login_form_or_for_another_request(
    rp: RelyingParty, register: Register, party: MakeParty
) -> None:
    await rp.flow()
    other = party(await register())
    await _asked(other)
    mine = Page(await _asked(rp, prompt="consent")).form
    others = Page(await _asked(other)).form
    assert mine is not None
    assert others is not None
    mixed = others.fields | {"csrf_token": mine.fields["csrf_token"], "action": "allow"}
    assert (await rp.browser.http.post("/oauth2/consent", data=mixed)).status_code == 400


async def test_a_page_that_stood_open_for_too_long_is_said_so(
    rp: RelyingParty, issuer: Issuer
) -> None:
    await _asked(rp)
    issuer.clock.forward(3601)
    response = await rp.browser.submit("login", username="alice", password=PASSWORD)
    assert response.status_code == 400
    assert "open for too long" in rp.browser.seen[-1].alerts[0]
