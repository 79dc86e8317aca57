from dataclasses import replace

import pytest

from svc_auth.domain.oauth2.client import GrantType, OAuthClient, client_problem
from svc_auth.domain.oauth2.playground import PLAYGROUND
from svc_auth.domain.oauth2.request import AuthorizationRequest, Prompt, ReplyTo
from svc_auth.domain.oauth2.session import LoginSession

CODE, ITSELF, REFRESH = (
    GrantType.AUTHORIZATION_CODE,
    GrantType.CLIENT_CREDENTIALS,
    GrantType.REFRESH_TOKEN,
)
CLIENT = OAuthClient(
    id="an-app",
    name="An app",
    confidential=True,
    redirect_uris=("https://app.example/cb",),
    scopes=("openid", "tokens.read"),
    grant_types=(CODE,),
    require_pkce=True,
    created_at=1,
)


def field_of(**changes: object) -> str | None:
    problem = client_problem(replace(CLIENT, **changes))  # type: ignore[arg-type]
    return problem.field if problem else None


def test_the_playground_could_be_registered() -> None:
    assert client_problem(CLIENT) is None
    assert client_problem(PLAYGROUND) is None


@pytest.mark.parametrize(
    "client_id",
    [
        *(
            "",
            "ab",
            "a" * 65,
            "An-App",
            "1app",
            "an--app",
            "-app",
            "app-",
            "an_app",
            "an app",
            "ä-app",
        ),
        # A user's id, and what tokens are for: neither may be a client's name.
        *("aaaaaaaa-0000-4000-8000-000000000000", "leaky-api", "leaky-mesh"),
    ],
)
def test_an_id_is_a_short_word_and_nobody_elses(client_id: str) -> None:
    assert field_of(id=client_id) == "client_id"


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example",
        "https://app.example:8443/cb?tenant=a",
        "https://[2001:db8::1]/cb",
        "http://127.0.0.1:8400/cb",
        "http://[::1]/cb",
        "http://localhost/cb",
        "com.example.app:/cb",
        "com.example.app://cb",
    ],
)
def test_where_codes_may_be_sent(uri: str) -> None:
    assert field_of(redirect_uris=(uri,)) is None


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/cb",
        "//app.example/cb",
        "app.example/cb",
        "https:",
        "https:///cb",
        "https://app.example/cb#x",
        "https://app.example/a b",
        "https://app.example/cb;x",
        "https://app.example/ä",
        'https://app.example/"',
        "https://user@app.example/cb",
        "https://app.example:port/cb",
        "https://app.example:70000/cb",
        "https://[::1/cb",
        "http://app.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "app:/cb",
        "com.example.app:",
        "https://app.example/" + "a" * 2000,
    ],
)
def test_where_codes_may_not_be_sent(uri: str) -> None:
    assert field_of(redirect_uris=(uri,)) == "redirect_uris"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"grant_types": ()}, "grant_types"),
        ({"grant_types": (CODE, CODE)}, "grant_types"),
        ({"grant_types": (REFRESH,)}, "grant_types"),
        ({"grant_types": (CODE, ITSELF), "confidential": False}, "grant_types"),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("openid", "openid")}, "scopes"),
        ({"scopes": ("*",)}, "scopes"),
        ({"scopes": ("openid", "offline_access")}, "scopes"),
        ({"redirect_uris": ()}, "redirect_uris"),
        ({"redirect_uris": CLIENT.redirect_uris * 2}, "redirect_uris"),
        ({"redirect_uris": tuple(f"https://a.example/{n}" for n in range(21))}, "redirect_uris"),
        ({"grant_types": (ITSELF,)}, "redirect_uris"),
        ({"require_pkce": False, "confidential": False}, "require_pkce"),
    ],
)
def test_what_does_not_go_together(changes: dict[str, object], field: str) -> None:
    assert field_of(**changes) == field


def test_without_a_user_a_client_has_nothing_personal() -> None:
    assert PLAYGROUND.allowed_itself() == ("tokens.read", "tokens.write")


@pytest.mark.parametrize(
    ("prompts", "max_age", "age", "enough"),
    [
        (set(), None, 10_000, True),
        (set(), 10, 10, True),
        (set(), 10, 11, False),
        (set(), 0, 1, False),
        ({Prompt.LOGIN}, None, 1, False),
        ({Prompt.SELECT_ACCOUNT}, None, 1, False),
        ({Prompt.CONSENT}, None, 1, True),
        # Logged in since the request was made.
        ({Prompt.LOGIN}, 0, -1, True),
        ({Prompt.LOGIN}, 0, 0, True),
    ],
)
def test_how_fresh_a_login_must_be(
    prompts: set[Prompt],
    max_age: int | None,
    age: int,
    enough: bool,  # noqa: FBT001 a case
) -> None:
    asked_at, second = 1_000_000_000_000, 1_000_000
    login = asked_at - age * second
    session = LoginSession(id="s", user_id="u", auth_time=login, expires_at=asked_at * 2)
    request = AuthorizationRequest(
        reply_to=ReplyTo(client=CLIENT, redirect_uri=CLIENT.redirect_uris[0]),
        scopes=("openid",),
        prompts=frozenset(prompts),
        max_age=max_age,
    )
    assert request.fresh_enough(session, asked_at=asked_at, now=asked_at) is enough
