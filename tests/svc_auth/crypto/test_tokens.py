import json
from typing import Any

import pytest

from mesh.identity.jose import InvalidToken, verify
from svc_auth.domain.claims import Subject
from svc_auth.settings import ClientJwt

pytestmark = pytest.mark.anyio
NOW = 1_700_000_000
ALICE = Subject(user_id="a", username="alice", roles=("ADMIN", "USER"))


def _read(house: Any, text: str, kid: str, audience: str, issuer: str) -> dict[str, Any]:
    keys = {key["kid"]: key for key in json.loads(house.keyring.jwks)["keys"]}
    return verify(text, jwk=keys[kid], issuer=issuer, audiences=[audience], now_us=house.clock.now)


async def test_issuer_and_expiry_are_settings(house: Any) -> None:
    house.jwt = ClientJwt(issuer="somebody", expiry=60.0)
    token = house.minter.session(ALICE, at=house.clock.now)
    claims = _read(house, token.text, house.keyring.session.kid, "leaky-api", "somebody")
    assert (claims["exp"], claims["iat"]) == (NOW + 60, house.clock.now / 1_000_000)
    assert claims["roles"] == ["ADMIN", "USER"]
    assert "key_id" not in claims


async def test_a_session_is_no_token_of_the_mesh(house: Any) -> None:
    token = house.minter.session(ALICE, at=house.clock.now)
    with pytest.raises(InvalidToken, match="audience"):
        _read(house, token.text, house.keyring.session.kid, "leaky-mesh", "leaky-tokens-auth")


async def test_every_token_has_an_id_of_its_own(house: Any) -> None:
    texts = {house.minter.session(ALICE, at=house.clock.now).text for _ in range(2)}
    assert len(texts) == 2


async def test_a_token_ends_when_it_says(house: Any) -> None:
    token = house.minter.mesh(ALICE, at=house.clock.now, not_after=None)
    kid = house.keyring.mesh.kid
    house.clock.now = token.expires_at - 1
    _read(house, token.text, kid, "leaky-mesh", "leaky-tokens-auth")
    house.clock.now = token.expires_at
    with pytest.raises(InvalidToken, match="expired"):
        _read(house, token.text, kid, "leaky-mesh", "leaky-tokens-auth")
