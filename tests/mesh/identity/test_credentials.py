import asyncio
from typing import TYPE_CHECKING

import pytest

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_USER,
)
from leaky.common.v1.reason_pb2 import (
    REASON_INTERNAL,
    REASON_INVALID_API_KEY,
    REASON_OVERLOADED,
    REASON_UNAUTHENTICATED,
    REASON_UNAVAILABLE,
    Reason,
)
from mesh.errors import AppError
from mesh.identity import jose
from mesh.identity.api_keys import ApiKeys
from mesh.identity.principal import NOBODY, Principal
from mesh.identity.revoked import Revoked
from tests.mesh.identity.world import KEY, World, settled

if TYPE_CHECKING:
    from tests.mesh.identity.conftest import Auth, Hands

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(auth: "Auth", clock: "Hands") -> World:
    return World(auth, clock)


@pytest.fixture
def key_id(auth: "Auth") -> str:
    return auth.issue(KEY, "user-7", ["USER", "ADMIN"])


async def test_no_credential_is_nobody(world: World) -> None:
    assert await world.of({"x-user-id": "user-1", "x-internal-user": "x", "cookie": "a"}) is NOBODY


async def test_a_token_says_who_sends_it(world: World, auth: "Auth") -> None:
    token = auth.token(roles=["USER", "ADMIN"], jti="j-1")
    assert await world.with_token(token) == Principal(
        user_id="user-1",
        username="ada",
        roles=frozenset({"USER", "ADMIN"}),
        token_id="j-1",
        issued_us=auth.clock.us,
        until_us=auth.clock.us + 3_600_000_000,
        token=token,
    )


async def test_a_token_of_the_mesh_names_its_api_key(
    world: World, auth: "Auth", key_id: str
) -> None:
    principal = await world.with_token(auth.mesh_token(auth.api_keys[KEY]))
    assert (principal.user_id, principal.api_key_id) == ("user-7", key_id)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer a b",
        "Bearer a.b.c",
        "Bearer a.b.c, Bearer a.b.c",
        "Token a.b.c",
        "a.b.c",
        "Bearer é",
        "Bearer a.b.c\n",
        "Bearer " + "a" * 10_000,
    ],
)
async def test_a_malformed_authorization_is_401(world: World, auth: "Auth", value: str) -> None:
    assert await world.refusal({"authorization": value}) == REASON_UNAUTHENTICATED
    assert auth.calls["GetJwks"] == 0


async def test_the_case_of_the_scheme_does_not_matter(world: World, auth: "Auth") -> None:
    assert (await world.of({"authorization": f"bEARER  {auth.token()}"})).user_id == "user-1"


async def test_forged_and_foreign_tokens_are_401(world: World, auth: "Auth") -> None:
    stranger = jose.generate("ES256")
    for token in (
        auth.token(iss="leaky-mesh"),
        auth.token(aud="another"),
        auth.token(exp=None),
        auth.token(exp=1),
        auth.token(roles="ADMIN"),
        auth.token(roles=[1]),
        auth.token(username=5),
        auth.token(key_id=["k"]),
        jose.sign({"sub": "user-1"}, key=stranger),
        auth.token()[:-8] + "AAAAAAAA",
    ):
        assert await world.refusal({"authorization": f"Bearer {token}"}) == REASON_UNAUTHENTICATED


async def test_a_remembered_token_ends_when_it_ends(
    world: World, auth: "Auth", clock: "Hands"
) -> None:
    token = auth.token()
    first = await world.with_token(token)
    clock.forward(3599)
    assert await world.with_token(token) is first
    clock.forward(1)
    assert await world.refusal({"authorization": f"Bearer {token}"}) == REASON_UNAUTHENTICATED


async def test_tokens_go_on_while_svc_auth_is_away(
    world: World, auth: "Auth", clock: "Hands"
) -> None:
    await world.with_token(auth.token())
    auth.down = True
    clock.forward(60)
    assert not world.pulse.trusted()
    assert (await world.with_token(auth.token(sub="user-2"))).user_id == "user-2"


async def test_a_token_that_cannot_be_checked_is_503(world: World, auth: "Auth") -> None:
    auth.down = True
    token = {"authorization": f"Bearer {auth.token()}"}
    assert await world.refusal(token) == REASON_UNAVAILABLE


async def test_a_withdrawn_signing_key_proves_nothing_any_more(
    world: World, auth: "Auth", clock: "Hands"
) -> None:
    token = auth.token()
    await world.with_token(token)
    auth.jwks = b'{"keys": [{"kid": "another", "alg": "ES256"}]}'
    clock.forward(2)
    with pytest.raises(jose.InvalidToken):
        await world.keys.find("unknown")
    assert await world.refusal({"authorization": f"Bearer {token}"}) == REASON_UNAUTHENTICATED


async def test_an_api_key_is_exchanged_once(world: World, auth: "Auth", key_id: str) -> None:
    first = await world.with_key()
    assert (first.user_id, first.api_key_id, first.admin) == ("user-7", key_id, True)
    assert (await world.with_token(first.token)).user_id == "user-7"
    assert await world.with_key() is first
    assert auth.calls["ExchangeApiKey"] == 1


async def test_many_at_once_cost_one_exchange(world: World, auth: "Auth", key_id: str) -> None:
    auth.open.clear()
    waiting = [asyncio.create_task(world.with_key()) for _ in range(10)]
    await asyncio.sleep(0)
    auth.open.set()
    assert {principal.api_key_id for principal in await asyncio.gather(*waiting)} == {key_id}
    assert auth.calls["ExchangeApiKey"] == 1


async def test_an_exchanged_token_is_handed_on_only_while_it_lasts(
    world: World, auth: "Auth", clock: "Hands", key_id: str
) -> None:
    assert key_id
    first = await world.with_key()
    clock.forward(109)
    world.pulse.beat()
    assert await world.with_key() is first
    clock.forward(1.1)
    world.pulse.beat()
    second = await world.with_key()
    assert second.token != first.token
    assert auth.calls["ExchangeApiKey"] == 2


async def test_an_api_key_is_remembered_no_longer_than_configured(
    auth: "Auth", clock: "Hands", key_id: str
) -> None:
    assert key_id
    world = World(auth, clock)
    short = ApiKeys(
        channel=auth.channel(),
        bearer=world.bearer,
        clock=clock,
        pulse=world.pulse,
        ttl_seconds=3,
    )
    known = await settled(short.principal(KEY))
    clock.forward(2.9)
    assert short.principal(KEY) is known
    assert auth.calls["ExchangeApiKey"] == 1
    clock.forward(0.2)
    await settled(short.principal(KEY))
    assert auth.calls["ExchangeApiKey"] == 2


async def test_an_unknown_api_key_is_401_and_asked_seldom(
    world: World, auth: "Auth", clock: "Hands"
) -> None:
    for _ in range(5):
        assert await world.refusal({"x-api-key": "wrong"}) == REASON_INVALID_API_KEY
    assert auth.calls["ExchangeApiKey"] == 1
    clock.forward(5)
    assert await world.refusal({"x-api-key": "wrong"}) == REASON_INVALID_API_KEY
    assert auth.calls["ExchangeApiKey"] == 2


@pytest.mark.parametrize("key", ["", "x" * 513, "leaky_é"])
async def test_what_cannot_be_an_api_key_is_not_asked_for(
    world: World, auth: "Auth", key: str
) -> None:
    assert await world.refusal({"x-api-key": key}) == REASON_INVALID_API_KEY
    assert auth.calls["ExchangeApiKey"] == 0


@pytest.mark.parametrize(
    "reason", [REASON_UNAVAILABLE, REASON_OVERLOADED, REASON_INTERNAL, REASON_UNAUTHENTICATED]
)
async def test_an_api_key_that_cannot_be_checked_is_503_and_not_held_against_it(
    world: World, auth: "Auth", key_id: str, reason: Reason.ValueType
) -> None:
    # UNAUTHENTICATED here says that we are refused ourselves.
    auth.error = AppError(reason, "no")
    assert await world.refusal({"x-api-key": KEY}) == REASON_UNAVAILABLE
    auth.error = None
    assert (await world.with_key()).api_key_id == key_id


async def test_an_exchanged_token_that_does_not_verify_is_503(
    world: World, auth: "Auth", key_id: str
) -> None:
    assert key_id
    auth.mesh = jose.generate("ES256")
    await world.keys.find(auth.login.kid)
    auth.mesh = jose.generate("ES256")
    assert await world.refusal({"x-api-key": KEY}) == REASON_UNAVAILABLE


@pytest.mark.parametrize("wrong", [{"aud": "leaky-api"}, {"key_id": None}, {"key_id": ""}])
async def test_an_exchanged_token_of_the_wrong_kind_is_503(
    world: World, auth: "Auth", key_id: str, wrong: dict[str, str | None]
) -> None:
    auth.exchanged = dict(wrong)
    assert await world.refusal({"x-api-key": KEY}) == REASON_UNAVAILABLE
    auth.exchanged = {}
    assert (await world.with_key()).api_key_id == key_id


async def test_a_revoked_api_key_is_dropped_at_once(
    world: World, auth: "Auth", key_id: str
) -> None:
    exchanged = (await world.with_key()).token
    await world.with_token(exchanged)
    del auth.api_keys[KEY]
    world.api_keys.drop(Revoked(kind=REVOCATION_KIND_API_KEY, subject=key_id))
    world.bearer.drop(Revoked(kind=REVOCATION_KIND_API_KEY, subject=key_id))
    assert await world.refusal({"x-api-key": KEY}) == REASON_INVALID_API_KEY
    # Nor does the token that was made from it get in any more.
    token = {"authorization": f"Bearer {exchanged}"}
    assert await world.refusal(token) == REASON_UNAUTHENTICATED


async def test_what_is_dropped_of_a_user_is_asked_again(
    world: World, auth: "Auth", key_id: str
) -> None:
    assert key_id
    assert (await world.with_key()).admin
    auth.api_keys[KEY].roles = ["USER"]
    world.api_keys.drop(Revoked(kind=REVOCATION_KIND_USER, subject="user-7"))
    assert not (await world.with_key()).admin


async def test_other_revocations_drop_nothing(world: World, auth: "Auth", key_id: str) -> None:
    assert key_id
    await world.with_key()
    world.api_keys.drop(Revoked(kind=REVOCATION_KIND_USER, subject="user-8"))
    world.api_keys.drop(Revoked(kind=REVOCATION_KIND_API_KEY, subject="another"))
    await world.with_key()
    assert auth.calls["ExchangeApiKey"] == 1


async def test_an_answer_that_a_revocation_overtook_is_not_kept(
    world: World, auth: "Auth", key_id: str
) -> None:
    await world.keys.find(auth.mesh.kid)
    auth.open.clear()
    asked_before = asyncio.create_task(world.with_key())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert auth.calls["ExchangeApiKey"] == 1
    del auth.api_keys[KEY]
    world.api_keys.drop(Revoked(kind=REVOCATION_KIND_API_KEY, subject=key_id))
    asked_after = asyncio.create_task(world.refusal({"x-api-key": KEY}))
    await asyncio.sleep(0)
    auth.open.set()
    assert (await asked_before).api_key_id == key_id
    assert await asked_after == REASON_INVALID_API_KEY
    assert await world.refusal({"x-api-key": KEY}) == REASON_INVALID_API_KEY


async def test_a_silent_stream_means_asking_every_time(
    world: World, auth: "Auth", clock: "Hands", key_id: str
) -> None:
    assert key_id
    await world.with_key()
    clock.forward(4)
    await world.with_key()
    await world.with_key()
    assert auth.calls["ExchangeApiKey"] == 3
    auth.down = True
    assert await world.refusal({"x-api-key": KEY}) == REASON_UNAVAILABLE


async def test_a_short_outage_does_not_show(
    world: World, auth: "Auth", clock: "Hands", key_id: str
) -> None:
    await world.with_key()
    auth.down = True
    clock.forward(3.9)
    assert (await world.with_key()).api_key_id == key_id


async def test_authorization_wins_over_an_api_key(world: World, auth: "Auth", key_id: str) -> None:
    assert key_id
    both = {"authorization": f"Bearer {auth.token()}", "x-api-key": KEY}
    assert (await world.of(both)).user_id == "user-1"
    bad = {"authorization": "Bearer nonsense", "x-api-key": KEY}
    assert await world.refusal(bad) == REASON_UNAUTHENTICATED
    assert auth.calls["ExchangeApiKey"] == 0


async def test_a_token_says_what_it_is_limited_to(world: World, auth: "Auth") -> None:
    limited = await world.with_token(auth.token(scope="tokens.read", providers=["openai"]))
    assert limited.scopes == frozenset({"tokens.read"})
    assert limited.providers == frozenset({"openai"})
    for scope, scopes in (("", frozenset()), (None, frozenset()), ("*", None)):
        assert (await world.with_token(auth.token(scope=scope))).scopes == scopes
    nothing = await world.with_token(auth.token(providers=[]))
    assert nothing.providers == frozenset()
    for wrong in ({"scope": ["tokens.read"]}, {"providers": "openai"}, {"providers": [7]}):
        refusal = await world.refusal({"authorization": f"Bearer {auth.token(**wrong)}"})
        assert refusal == REASON_UNAUTHENTICATED


async def test_a_listener_hears_of_each_key_whether_it_was_known(
    world: World, auth: "Auth", clock: "Hands", key_id: str
) -> None:
    heard: list[bool] = []
    world.api_keys.listener = lambda *, known: heard.append(known)
    await world.with_key()
    await world.with_key()
    assert heard == [False, True]
    # A refused one is remembered too; what cannot be a key is looked for nowhere.
    for key in ("wrong", "wrong", ""):
        assert await world.refusal({"x-api-key": key}) == REASON_INVALID_API_KEY
    assert heard == [False, True, False, True]
    # Without revocations nothing is believed.
    clock.forward(10)
    await world.with_key()
    assert heard[4:] == [False]
    assert key_id
    assert auth.calls["ExchangeApiKey"] == 3
