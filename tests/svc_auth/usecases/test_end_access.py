"""What is ended stays ended for as long as any token lives that was issued before."""

from dataclasses import replace
from typing import Any

import pytest

from svc_auth.crypto.keyring import Lifetimes, open_keyring
from svc_auth.crypto.vault import Vault
from svc_auth.domain.claims import Subject
from svc_auth.domain.oauth2.client import GrantType, OAuthClient
from svc_auth.domain.revocation import Kind
from svc_auth.ports_oauth2 import Registered
from svc_auth.settings import ClientJwt
from svc_auth.usecases.oauth2.remove_client import RemoveClient
from svc_auth.usecases.oauth2.rotate_secret import RotateSecret
from tests.svc_auth.records import RECORD

NOTHING = replace(RECORD, revocations=())
pytestmark = pytest.mark.anyio
DAY = 86_400_000_000
CLIENT = OAuthClient(
    id="an-app",
    name="An app",
    confidential=True,
    redirect_uris=("https://app.example/callback",),
    scopes=("openid",),
    grant_types=(GrantType.AUTHORIZATION_CODE,),
    require_pkce=True,
    created_at=1,
)


@pytest.fixture
async def ends_at(house: Any) -> int:
    """When a token ends that was issued before `auth.jwt.expiry` became an hour."""
    before = Lifetimes(tokens={"RS256": 30 * DAY, "ES256": 1}, publish_before=1)
    vault = Vault("a secret of the tests")
    ring = await open_keyring(house.store.signing_keys, vault, house.clock, before)
    minter = replace(house.minter, keyring=ring, jwt=lambda: ClientJwt(expiry=30 * 86_400.0))
    subject = Subject(user_id="a", username="alice", roles=("USER",))
    token = minter.session(subject, at=house.clock.now)
    house.clock.now += 1
    ends: int = token.expires_at
    return ends


async def remembered(house: Any, ends_at: int) -> list[Kind]:
    """What whoever begins to watch just before the token's end is told."""
    told = await house.store.revocations.standing(ends_at - 1, after=0, limit=10)
    return [one.revocation.kind for one in told]


async def test_a_users_access(house: Any, ends_at: int) -> None:
    user = await house.alice()
    users = house.user_servicer
    await users.disable(house.caller, user_id=user.id)
    await users.grant(house.caller, user_id=user.id, role="ADMIN")
    await users.revoke(house.caller, user_id=user.id, role="ADMIN")
    assert await remembered(house, ends_at) == [Kind.USER] * 4


async def test_a_users_sessions(house: Any, ends_at: int) -> None:
    user = await house.alice()
    await house.user_servicer.reset(house.caller, user_id=user.id, password="battery staple")
    assert await remembered(house, ends_at) == [Kind.SESSIONS] * 2


async def test_a_clients_tokens(house: Any, ends_at: int) -> None:
    clients, end = house.store.oauth_clients, house.user_servicer.disable.end
    opaque = house.invite.opaque
    await clients.add_client(Registered(client=CLIENT, secret_hash="h"), NOTHING)
    rotate = RotateSecret(clients=clients, opaque=opaque, end=end, clock=house.clock)
    await rotate(house.caller, client_id=CLIENT.id)
    await RemoveClient(clients=clients, end=end, clock=house.clock)(
        house.caller, client_id=CLIENT.id
    )
    assert await remembered(house, ends_at) == [Kind.CLIENT] * 4


async def test_what_was_issued_between_the_two_revocations_counts_too(house: Any) -> None:
    user = await house.alice()
    real = house.store.users.disable_user

    class Meanwhile:
        """Another process begins to issue longer tokens before the change can be seen."""

        def __getattr__(self, name: str) -> Any:
            return getattr(house.store.users, name)

        async def disable_user(self, *given: Any, **named: Any) -> Any:
            await house.store.signing_keys.lengthen("RS256", 30 * DAY)
            return await real(*given, **named)

    disable = replace(house.user_servicer.disable, users=Meanwhile())
    await disable(house.caller, user_id=user.id)
    assert await remembered(house, house.clock.now + 30 * DAY) == [Kind.USER]


async def test_whatever_the_keys_say_it_is_remembered_for_a_day(house: Any) -> None:
    user = await house.alice()
    await house.user_servicer.disable(house.caller, user_id=user.id)
    assert await remembered(house, house.clock.now + DAY) == [Kind.USER] * 2
