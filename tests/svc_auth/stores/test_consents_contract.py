"""What every store of auth does for what users have allowed applications."""

import asyncio
from dataclasses import replace

import pytest

from svc_auth.domain.audit import Action
from svc_auth.domain.oauth2.audit import client_entry
from svc_auth.domain.oauth2.consent import Consent
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import Kind
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import ALICE, BOB
from tests.svc_auth.stores.test_oauth2_contract import (
    CALLER,
    CLIENT_OF_TESTS,
    GRANT,
    PUBLIC,
    QUIET,
    REGISTERED,
    SESSION,
    TOKEN,
    allowed,
    granted,
    logged_in,
    numbered,
    rotated,
    told,
    written,
)

pytestmark = pytest.mark.anyio
SECOND_GRANT = replace(GRANT, id="33333333-0000-4000-8000-000000000000")


async def withdrawn(store: AuthStores, user_id: str = ALICE, client_id: str = "an-app") -> bool:
    action = Action.OAUTH_CONSENT_WITHDRAWN
    entry = client_entry(CALLER, action, client_id, at=40, user_id=user_id)
    return await store.consents.withdraw_consent(
        user_id, client_id, at=40, record=Record(entry=entry)
    )


async def test_a_user_sees_what_it_has_allowed_oldest_first(store: AuthStores) -> None:
    consents = store.consents
    assert await consents.consents_of(ALICE) == []
    await store.oauth_clients.add_client(PUBLIC, QUIET)
    await consents.add_consent(ALICE, "leaky-client", ["openid"], at=3, record=QUIET)
    await consents.add_consent(ALICE, "public", ["email"], at=2, record=QUIET)
    await logged_in(store)
    await consents.add_consent(ALICE, "an-app", ["email"], at=9, record=QUIET)
    await allowed(store, BOB)
    named = Consent(
        client_id="an-app",
        client_name=CLIENT_OF_TESTS.name,
        scopes=("email", "offline_access", "openid"),
        created_at=2,
    )
    assert await consents.consents_of(ALICE) == [
        named,
        replace(named, client_id="public", scopes=("email",)),
        replace(
            named,
            client_id="leaky-client",
            client_name="Leaky playground",
            scopes=("openid",),
            created_at=3,
        ),
    ]
    [bobs] = await consents.consents_of(BOB)
    assert bobs.scopes == ("offline_access", "openid")


async def test_a_consent_tells_when_the_client_last_got_a_token(store: AuthStores) -> None:
    async def last() -> int | None:
        [one] = await store.consents.consents_of(ALICE)
        return one.last_used_at

    await logged_in(store)
    assert await store.grants.add_grant(GRANT, "code", SESSION)
    assert await last() is None
    await store.grants.redeem_code("code", at=11, caller=CALLER)
    await store.grants.issue(TOKEN, "r1")
    assert await last() == 11
    assert await rotated(store, "r1", "r2", 2)
    assert await last() == 20
    assert await store.grants.add_grant(SECOND_GRANT, "another", SESSION)
    assert await last() == 20
    await store.grants.redeem_code("another", at=25, caller=CALLER)
    assert await last() == 25
    await store.grants.purge(before=1_001)
    assert await last() is None


async def test_what_is_withdrawn_ends_with_all_that_came_of_it(store: AuthStores) -> None:
    await granted(store)
    assert await store.grants.add_grant(SECOND_GRANT, "open", SESSION)
    await allowed(store, BOB)
    before = len(await written(store))
    assert await withdrawn(store)
    assert await store.consents.consents_of(ALICE) == []
    assert await store.consents.find_consent(ALICE, "an-app") == frozenset()
    assert await store.grants.find_token(TOKEN.id) is None
    assert not await rotated(store, "r1", "r2", 2)
    open_code = await store.grants.redeem_code("open", at=41, caller=CALLER)
    assert open_code is not None
    assert not open_code.first
    # Nothing was issued for the other grant, so nobody needs to hear of it.
    assert await told(store) == [(Kind.GRANT, GRANT.id, TOKEN.expires_at)]
    revoked = (Action.OAUTH_GRANT_REVOKED, "an-app", ALICE, "CONSENT_WITHDRAWN")
    ended = (Action.OAUTH_CONSENT_WITHDRAWN, "an-app", ALICE, "")
    assert (await written(store))[before:] == [revoked, revoked, ended]
    assert await store.consents.find_consent(BOB, "an-app") == {"openid", "offline_access"}


async def test_what_is_withdrawn_again_or_was_never_given_changes_nothing(
    store: AuthStores,
) -> None:
    await granted(store)
    assert not await withdrawn(store, BOB)
    assert not await withdrawn(store, ALICE, "public")
    assert await store.grants.find_token(TOKEN.id) == TOKEN
    assert await withdrawn(store)
    before = await written(store)
    assert not await withdrawn(store)
    assert await written(store) == before


async def test_another_users_tokens_and_another_clients_go_on(store: AuthStores) -> None:
    await granted(store)
    await store.oauth_clients.add_client(PUBLIC, QUIET)
    await store.consents.add_consent(ALICE, "public", GRANT.scopes, at=2, record=QUIET)
    others = (
        replace(SECOND_GRANT, client_id="public"),
        replace(SECOND_GRANT, id="44444444-0000-4000-8000-000000000000", user_id=BOB),
    )
    await allowed(store, BOB)
    session = replace(SESSION, id="6" * 64, user_id=BOB)
    await store.login_sessions.add_session(session)
    for number, one in enumerate(others, start=5):
        its = SESSION if one.user_id == ALICE else session
        assert await store.grants.add_grant(one, f"code {number}", its)
        token = replace(
            numbered(TOKEN, number), grant_id=one.id, client_id=one.client_id, user_id=one.user_id
        )
        assert await store.grants.issue(token, f"r {number}")
    assert await withdrawn(store)
    for number in (5, 6):
        assert await store.grants.find_token(numbered(TOKEN, number).id) is not None
        found = await store.grants.find_refresh(f"r {number}")
        assert found is not None
        assert found.good(41)


async def test_a_grant_needs_a_consent_to_all_of_it(store: AuthStores) -> None:
    await store.oauth_clients.add_client(REGISTERED, QUIET)
    await store.login_sessions.add_session(SESSION)
    assert not await store.grants.add_grant(GRANT, "code", SESSION)
    await store.consents.add_consent(ALICE, "an-app", ["openid"], at=2, record=QUIET)
    assert not await store.grants.add_grant(GRANT, "code", SESSION)
    await allowed(store)
    assert await store.grants.add_grant(GRANT, "code", SESSION)


async def test_nothing_is_allowed_to_a_client_that_was_removed(store: AuthStores) -> None:
    before = await written(store)
    await store.consents.add_consent(ALICE, "an-app", ["openid"], at=2, record=QUIET)
    assert await store.consents.consents_of(ALICE) == []
    assert await written(store) == before


async def test_what_a_client_gets_while_it_is_withdrawn_is_gone_with_it(
    store: AuthStores, store_url: str
) -> None:
    await granted(store)
    grants = [replace(GRANT, id=f"{n}5555555-0000-4000-8000-000000000000") for n in range(6)]
    async with STORES.open(store_url) as second:
        both = (store, second)
        once, again, rotation, *added = await asyncio.gather(
            withdrawn(store),
            withdrawn(second),
            rotated(second, "r1", "r2", 20),
            *(
                both[n % 2].grants.add_grant(one, f"code {n}", SESSION)
                for n, one in enumerate(grants)
            ),
        )
    assert sorted([once, again]) == [False, True]
    assert await store.grants.find_token(TOKEN.id) is None
    for n, there in enumerate(added):
        found = await store.grants.redeem_code(f"code {n}", at=41, caller=CALLER)
        assert (found is not None) == there
        assert found is None or not found.first
    newest = await store.grants.find_refresh("r2")
    assert (newest is not None) == rotation
    assert newest is None or newest.revoked
