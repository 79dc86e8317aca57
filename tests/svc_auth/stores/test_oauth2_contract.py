"""What every store of auth does for OAuth2."""

import asyncio
from dataclasses import replace

import pytest

from svc_auth.domain.audit import Action, AuditQuery
from svc_auth.domain.caller import CLIENT, Caller
from svc_auth.domain.oauth2.client import GrantType, OAuthClient
from svc_auth.domain.oauth2.grant import Grant, IssuedToken
from svc_auth.domain.oauth2.session import LoginSession
from svc_auth.domain.revocation import Kind, Revocation, of_client, of_sessions
from svc_auth.ports_oauth2 import Registered
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import ALICE, BOB, HASH, RECORD, USER

pytestmark = pytest.mark.anyio
QUIET = replace(RECORD, revocations=())
CALLER = Caller(actor=CLIENT, address="192.0.2.7")
CLIENT_OF_TESTS = OAuthClient(
    id="an-app",
    name="An app 👩‍💻",
    confidential=True,
    redirect_uris=("https://app.example/cb?a=b", "com.example.app:/cb"),
    scopes=("openid", "tokens.read"),
    grant_types=(GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN),
    require_pkce=False,
    created_at=7,
    post_logout_redirect_uris=("https://app.example/out?a=b", "com.example.app:/out"),
)
REGISTERED = Registered(client=CLIENT_OF_TESTS, secret_hash="s" * 64)
PUBLIC = Registered(
    client=replace(
        CLIENT_OF_TESTS, id="public", confidential=False, require_pkce=True, created_at=8
    ),
    secret_hash=None,
)
SESSION = LoginSession(id="5" * 64, user_id=ALICE, auth_time=3, expires_at=1 << 50)
GRANT = Grant(
    id="11111111-0000-4000-8000-000000000000",
    client_id="an-app",
    user_id=ALICE,
    scopes=("openid", "offline_access"),
    redirect_uri="https://app.example/cb?a=b",
    auth_time=3,
    created_at=10,
    ends_at=1_000,
    nonce="ñ",
    code_challenge="c" * 43,
)
TOKEN = IssuedToken(
    id="22222222-0000-4000-8000-000000000000",
    client_id="an-app",
    expires_at=500,
    user_id=ALICE,
    grant_id=GRANT.id,
)


def numbered(token: IssuedToken, number: int) -> IssuedToken:
    return replace(token, id=f"{number:08d}-0000-4000-8000-000000000000")


async def logged_in(store: AuthStores) -> None:
    """A client that Alice has allowed what GRANT says, and a browser of hers."""
    await store.oauth_clients.add_client(REGISTERED, QUIET)
    await store.login_sessions.add_session(SESSION)
    await allowed(store)


async def allowed(store: AuthStores, user_id: str = ALICE) -> None:
    await store.consents.add_consent(user_id, "an-app", GRANT.scopes, at=2, record=QUIET)


async def granted(store: AuthStores) -> None:
    """A grant whose code was exchanged for TOKEN and the refresh token `r1`."""
    await logged_in(store)
    assert await store.grants.add_grant(GRANT, "code", SESSION)
    assert await store.grants.redeem_code("code", at=11, caller=CALLER) is not None
    assert await store.grants.issue(TOKEN, "r1")


async def rotated(store: AuthStores, old: str, new: str, number: int) -> bool:
    return await store.grants.rotate_refresh(
        old, successor_hash=new, token=numbered(TOKEN, number), at=20, caller=CALLER
    )


async def told(store: AuthStores) -> list[tuple[Kind, str, int]]:
    """What was revoked, and until when it must be remembered."""
    found = await store.revocations.after(0, also=(), limit=100)
    return [(one.revocation.kind, one.revocation.subject, one.revocation.until) for one in found]


async def written(store: AuthStores) -> list[tuple[Action, str, str, str]]:
    lines = await store.audit.lines(AuditQuery(), before=None, limit=100)
    return [
        (line.entry.action, line.entry.subject_id, line.entry.user_id, line.entry.detail)
        for line in reversed(lines)
    ]


async def test_clients_come_back_as_they_were(store: AuthStores) -> None:
    clients = store.oauth_clients
    assert await clients.add_client(REGISTERED, QUIET)
    assert await clients.add_client(PUBLIC, QUIET)
    assert await clients.find_client("an-app") == REGISTERED
    assert await clients.find_client("public") == PUBLIC
    assert await clients.find_client("An-App") is None
    assert await clients.clients() == [REGISTERED.client, PUBLIC.client]


async def test_an_id_is_given_once_and_what_changes_nothing_is_not_written_down(
    store: AuthStores,
) -> None:
    clients = store.oauth_clients
    added = await asyncio.gather(*(clients.add_client(REGISTERED, QUIET) for _ in range(4)))
    assert sorted(added) == [False] * 3 + [True]
    assert not await clients.replace_secret("nobody", "t" * 64, QUIET)
    assert not await clients.remove_client("nobody", record=QUIET)
    assert len(await written(store)) == 1


async def test_only_a_client_with_a_secret_gets_another(store: AuthStores) -> None:
    clients = store.oauth_clients
    await clients.add_client(REGISTERED, QUIET)
    await clients.add_client(PUBLIC, QUIET)
    assert await clients.replace_secret("an-app", "t" * 64, QUIET)
    assert not await clients.replace_secret("public", "t" * 64, QUIET)
    assert await clients.find_client("an-app") == replace(REGISTERED, secret_hash="t" * 64)


async def test_a_client_that_is_removed_leaves_nothing(store: AuthStores) -> None:
    await store.oauth_clients.add_client(REGISTERED, QUIET)
    await granted(store)
    await store.consents.add_consent(ALICE, "an-app", ["openid"], at=1, record=QUIET)
    ended = numbered(TOKEN, 2)
    await store.grants.issue(replace(ended, grant_id=None, user_id="", expires_at=29), None)
    record = replace(RECORD, revocations=(of_client("an-app", at=30, lifetime=100),))
    assert await store.oauth_clients.remove_client("an-app", record=record)
    assert await store.oauth_clients.find_client("an-app") is None
    assert await store.consents.find_consent(ALICE, "an-app") == frozenset()
    assert await store.grants.find_refresh("r1") is None
    assert await store.grants.find_token(TOKEN.id) is None
    assert await store.grants.redeem_code("code", at=31, caller=CALLER) is None
    # One word for all of its tokens, however many.
    assert await told(store) == [(Kind.CLIENT, "an-app", 130)]


async def test_a_client_that_was_removed_gets_nothing_more(store: AuthStores) -> None:
    await granted(store)
    assert await store.oauth_clients.remove_client("an-app", record=QUIET)
    own = numbered(replace(TOKEN, grant_id=None, user_id=""), 3)
    assert not await store.grants.issue(own, None)
    assert await store.grants.find_token(own.id) is None
    assert not await store.grants.add_grant(GRANT, "another code", SESSION)
    assert not await rotated(store, "r1", "r2", 4)
    # The one that `local` brings along is registered nowhere.
    assert await store.grants.issue(replace(own, client_id="leaky-client"), None)


async def test_what_a_client_gets_while_it_is_removed_is_gone_with_it(
    store: AuthStores, store_url: str
) -> None:
    await granted(store)
    own = [numbered(replace(TOKEN, grant_id=None, user_id=""), 10 + n) for n in range(6)]
    async with STORES.open(store_url) as second:
        removed, *_ = await asyncio.gather(
            second.oauth_clients.remove_client("an-app", record=QUIET),
            *((store, second)[n % 2].grants.issue(one, None) for n, one in enumerate(own)),
            rotated(store, "r1", "r2", 20),
        )
    assert removed
    for one in (*own, numbered(TOKEN, 20)):
        assert await store.grants.find_token(one.id) is None


async def test_consents_add_up(store: AuthStores) -> None:
    consents = store.consents
    await store.oauth_clients.add_client(REGISTERED, QUIET)
    assert await consents.find_consent(ALICE, "an-app") == frozenset()
    await consents.add_consent(ALICE, "an-app", ["openid"], at=1, record=QUIET)
    await consents.add_consent(ALICE, "an-app", ["tokens.read", "openid"], at=2, record=QUIET)
    await consents.add_consent(BOB, "an-app", ["email"], at=2, record=QUIET)
    assert await consents.find_consent(ALICE, "an-app") == {"openid", "tokens.read"}


async def test_sessions_come_back_and_end(store: AuthStores) -> None:
    sessions = store.login_sessions
    await sessions.add_session(SESSION)
    assert await sessions.find_session(SESSION.id) == SESSION
    for _ in range(2):
        await sessions.end_session(SESSION.id, QUIET)
    assert await sessions.find_session(SESSION.id) is None
    assert len(await written(store)) == 1


async def test_a_code_is_spent_by_whoever_is_first(store: AuthStores) -> None:
    await logged_in(store)
    assert await store.grants.add_grant(GRANT, "code", SESSION)
    assert await store.grants.redeem_code("another", at=11, caller=CALLER) is None
    first = await store.grants.redeem_code("code", at=11, caller=CALLER)
    assert first is not None
    assert (first.grant, first.first) == (GRANT, True)
    again = await store.grants.redeem_code("code", at=12, caller=CALLER)
    assert again is not None
    assert not again.first
    assert not await store.grants.issue(TOKEN, "r1")
    assert await store.grants.find_token(TOKEN.id) is None


async def test_of_many_who_show_a_code_at_once_one_is_first(
    store: AuthStores, store_url: str
) -> None:
    await logged_in(store)
    await store.grants.add_grant(GRANT, "code", SESSION)
    async with STORES.open(store_url) as second:
        found = await asyncio.gather(
            *(
                (store, second)[n % 2].grants.redeem_code("code", at=11, caller=CALLER)
                for n in range(6)
            )
        )
    assert sorted(one.first for one in found if one) == [False] * 5 + [True]


async def test_a_code_that_is_shown_again_revokes_what_came_of_it(store: AuthStores) -> None:
    await granted(store)
    assert await rotated(store, "r1", "r2", 2)
    await store.grants.redeem_code("code", at=30, caller=CALLER)
    await store.grants.redeem_code("code", at=31, caller=CALLER)
    for token in (TOKEN, numbered(TOKEN, 2)):
        assert await store.grants.find_token(token.id) is None
    newest = await store.grants.find_refresh("r2")
    assert newest is not None
    assert not newest.good(32)
    assert await told(store) == [(Kind.GRANT, GRANT.id, 500)]
    assert (await written(store))[2:] == [
        (Action.OAUTH_GRANT_REVOKED, "an-app", ALICE, "CODE_REUSED")
    ]


async def test_a_grant_needs_a_login_that_has_not_ended(store: AuthStores) -> None:
    assert not await store.grants.add_grant(GRANT, "code", SESSION)
    assert await store.grants.redeem_code("code", at=11, caller=CALLER) is None


async def test_a_refresh_token_is_exchanged_once(store: AuthStores) -> None:
    await granted(store)
    found = await store.grants.find_refresh("r1")
    assert found is not None
    assert (found.grant, found.used, found.good(20), found.good(1_000)) == (
        GRANT,
        False,
        True,
        False,
    )
    assert await rotated(store, "r1", "r2", 2)
    assert await store.grants.find_token(numbered(TOKEN, 2).id) is not None
    used = await store.grants.find_refresh("r1")
    assert used is not None
    assert used.used
    assert not await rotated(store, "r1", "r3", 3)
    assert await store.grants.find_refresh("r3") is None
    assert not await rotated(store, "r2", "r4", 4)
    assert (await written(store))[2:] == [
        (Action.OAUTH_GRANT_REVOKED, "an-app", ALICE, "REFRESH_TOKEN_REUSED")
    ]


async def test_of_many_who_exchange_a_refresh_token_at_once_one_is_first(
    store: AuthStores, store_url: str
) -> None:
    await granted(store)
    async with STORES.open(store_url) as second:
        done = await asyncio.gather(
            *(rotated((store, second)[n % 2], "r1", f"n{n}", n) for n in range(6))
        )
    assert sorted(done) == [False] * 5 + [True]
    winner = await store.grants.find_refresh(f"n{done.index(True)}")
    assert winner is not None
    assert winner.revoked


async def test_one_token_is_revoked_by_itself(store: AuthStores) -> None:
    await granted(store)
    assert await store.grants.find_token(TOKEN.id) == TOKEN
    await store.grants.revoke_token("unknown", at=20, caller=CALLER)
    for _ in range(2):
        await store.grants.revoke_token(TOKEN.id, at=20, caller=CALLER)
    assert await store.grants.find_token(TOKEN.id) is None
    assert await told(store) == [(Kind.TOKEN, TOKEN.id, 500)]
    assert (await written(store))[2:] == [(Action.OAUTH_TOKEN_REVOKED, "an-app", ALICE, "")]
    assert await rotated(store, "r1", "r2", 2)


async def test_a_clients_own_token_belongs_to_no_grant(store: AuthStores) -> None:
    await store.oauth_clients.add_client(REGISTERED, QUIET)
    own = replace(TOKEN, grant_id=None, user_id="")
    assert await store.grants.issue(own, None)
    assert await store.grants.find_token(TOKEN.id) == own


async def test_what_ends_a_users_sessions_ends_its_logins_and_grants(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, QUIET)
    await granted(store)
    bob = replace(SESSION, id="6" * 64, user_id=BOB)
    await store.login_sessions.add_session(bob)
    record = replace(RECORD, revocations=(of_sessions(ALICE, at=40, lifetime=100),))
    await store.revocations.revoke(record)
    assert await store.login_sessions.find_session(SESSION.id) is None
    assert await store.login_sessions.find_session(bob.id) == bob
    assert await store.grants.find_token(TOKEN.id) is None
    found = await store.grants.find_refresh("r1")
    assert found is not None
    assert found.revoked
    # One word about the user is enough: no token is told of by itself.
    assert await told(store) == [(Kind.SESSIONS, ALICE, 140)]


@pytest.mark.parametrize("kind", [Kind.USER, Kind.SESSIONS])
async def test_a_login_that_began_before_all_were_ended_is_none(
    store: AuthStores, kind: Kind
) -> None:
    await store.users.add_user(USER, HASH, QUIET)
    ended = Revocation(kind=kind, subject=ALICE, at=4, until=100)
    await store.revocations.revoke(replace(RECORD, revocations=(ended,)))
    assert not await store.login_sessions.add_session(SESSION)
    assert await store.login_sessions.find_session(SESSION.id) is None
    assert await store.login_sessions.add_session(replace(SESSION, auth_time=4))
    bob = replace(SESSION, id="6" * 64, user_id=BOB)
    assert await store.login_sessions.add_session(bob)


async def test_what_is_revoked_again_ends_what_began_in_between(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, QUIET)
    await granted(store)
    again = of_sessions(ALICE, at=40, lifetime=100)
    await store.revocations.repeat(again)
    assert await store.login_sessions.find_session(SESSION.id) is None
    assert await store.grants.find_token(TOKEN.id) is None


async def test_of_logins_and_their_end_at_once_none_survives(
    store: AuthStores, store_url: str
) -> None:
    await store.users.add_user(USER, HASH, QUIET)
    record = replace(RECORD, revocations=(of_sessions(ALICE, at=40, lifetime=100),))
    async with STORES.open(store_url) as second:
        ids = [f"{number}" * 64 for number in range(6)]
        sessions = [replace(SESSION, id=one, auth_time=39) for one in ids]
        await asyncio.gather(
            *(store.login_sessions.add_session(one) for one in sessions[:3]),
            second.revocations.revoke(record),
            *(second.login_sessions.add_session(one) for one in sessions[3:]),
        )
    assert [await store.login_sessions.find_session(one) for one in ids] == [None] * 6


async def test_a_code_that_nobody_redeemed_is_not_kept_for_as_long_as_its_grant(
    store: AuthStores,
) -> None:
    await granted(store)
    unredeemed = replace(GRANT, id="33333333-0000-4000-8000-000000000000", created_at=12)
    assert await store.grants.add_grant(unredeemed, "another", SESSION)
    await store.grants.purge(before=12)
    await store.grants.purge(before=13)
    assert await store.grants.redeem_code("another", at=14, caller=CALLER) is None
    assert await store.grants.find_token(TOKEN.id) is not None
    assert await store.grants.find_refresh("r1") is not None


async def test_what_has_ended_is_forgotten(store: AuthStores) -> None:
    await granted(store)
    await store.login_sessions.add_session(replace(SESSION, id="7" * 64, expires_at=400))
    await store.grants.purge(before=501)
    assert await store.grants.find_token(TOKEN.id) is None
    assert await store.grants.find_refresh("r1") is not None
    assert await store.login_sessions.find_session("7" * 64) is None
    assert await store.login_sessions.find_session(SESSION.id) is not None
    await rotated(store, "r1", "r2", 2)
    await store.grants.purge(before=1_001)
    assert await store.grants.find_refresh("r2") is None
    assert await store.grants.find_token(numbered(TOKEN, 2).id) is None
    assert await store.grants.redeem_code("code", at=1_002, caller=CALLER) is None
