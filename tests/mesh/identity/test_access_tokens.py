"""Two issuers, and tokens that only look as if they were of one of them."""

from typing import TYPE_CHECKING

import pytest

from mesh.identity.bearer import Bearer
from mesh.identity.jose import InvalidToken
from mesh.identity.jwks import KeySet

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio


@pytest.fixture
def bearer(auth: "Auth", clock: "Hands") -> Bearer:
    return Bearer(
        keys=KeySet(channel=auth.channel(), clock=clock),
        issuer="leaky-tokens-auth",
        oauth_issuer="https://auth.example",
        clock=clock,
    )


@pytest.mark.parametrize("typ", ["at+jwt", "application/AT+JWT"])
async def test_an_oauth2_access_token_stands_for_its_user(
    bearer: Bearer, auth: "Auth", typ: str
) -> None:
    principal = await bearer.principal(auth.access_token(typ=typ))
    assert (principal.user_id, principal.roles) == ("user-1", frozenset({"USER"}))


@pytest.mark.parametrize(
    "changes",
    [
        # An ID token, which is for its client; and one for a client named like our API.
        {"typ": "JWT", "aud": "an-app"},
        {"typ": "JWT"},
        {"typ": ""},
        {"typ": "jwt+at"},
        {"typ": "at+jwt", "aud": "an-app"},
        # A session's token is none of OAuth2's, and the other way round.
        {"iss": "leaky-tokens-auth"},
        {"iss": "https://auth.example/"},
    ],
)
async def test_what_is_no_access_token_is_refused(
    bearer: Bearer, auth: "Auth", changes: dict[str, str]
) -> None:
    with pytest.raises(InvalidToken):
        await bearer.principal(auth.access_token(**changes))
