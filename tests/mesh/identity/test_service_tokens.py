from typing import TYPE_CHECKING

import pytest

from mesh.identity import jose
from mesh.identity.jose import InvalidToken
from mesh.identity.service_tokens import HEADER, ServiceTokens

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

SECRET = "s" * 43


def tokens(clock: "Hands", service: str = "gateway", secret: str = SECRET) -> ServiceTokens:
    return ServiceTokens(service=service, secret=secret, clock=clock)


def test_a_service_is_known_by_its_token(clock: "Hands") -> None:
    sent = tokens(clock).metadata()
    assert list(sent) == [HEADER] == ["x-leaky-service"]
    assert tokens(clock, "token").caller(sent[HEADER]) == "gateway"


def test_a_token_is_made_once_and_renewed_long_before_it_ends(clock: "Hands") -> None:
    ours, theirs = tokens(clock), tokens(clock, "token")
    first = ours.metadata()
    clock.forward(29.9)
    assert ours.metadata() is first
    clock.forward(0.2)
    second = ours.metadata()
    assert second != first
    # What was sent at the last moment still has time to arrive.
    assert theirs.caller(first[HEADER]) == "gateway"
    clock.forward(29)
    assert theirs.caller(second[HEADER]) == "gateway"


def test_a_token_is_renewed_when_the_clock_was_set_back(clock: "Hands") -> None:
    ours = tokens(clock)
    first = ours.metadata()
    clock.forward(-3600)
    second = ours.metadata()
    assert second != first
    assert tokens(clock).caller(second[HEADER]) == "gateway"


def test_a_remembered_token_ends_when_it_ends(clock: "Hands") -> None:
    sent = tokens(clock).metadata()[HEADER]
    theirs = tokens(clock, "token")
    assert theirs.caller(sent) == "gateway"
    clock.forward(60)
    with pytest.raises(InvalidToken, match="expired"):
        theirs.caller(sent)


def test_another_system_is_not_known(clock: "Hands") -> None:
    sent = tokens(clock, secret="t" * 43).metadata()[HEADER]
    with pytest.raises(InvalidToken):
        tokens(clock).caller(sent)


def test_a_user_is_no_service(clock: "Hands", auth: "Auth") -> None:
    for token in (auth.token(), auth.token(iss="leaky-mesh", aud="leaky-mesh", sub="token")):
        with pytest.raises(InvalidToken):
            tokens(clock).caller(token)


def test_the_secret_alone_makes_no_service_of_another_issuer(clock: "Hands") -> None:
    now = clock.now_us() // 1_000_000
    claims = {"iss": "leaky-tokens-auth", "aud": "leaky-mesh", "sub": "token", "jti": "1"}
    token = jose.sign_shared({**claims, "iat": now, "exp": now + 60}, secret=SECRET)
    with pytest.raises(InvalidToken, match="issuer"):
        tokens(clock).caller(token)


def test_a_short_secret_is_refused_without_being_shown(clock: "Hands") -> None:
    with pytest.raises(ValueError, match="16 characters") as refused:
        tokens(clock, secret="hunter2")
    assert "hunter2" not in str(refused.value)
