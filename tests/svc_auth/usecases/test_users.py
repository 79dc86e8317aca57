"""What an administrator does to users, and what users do to their own sessions."""

from dataclasses import replace
from typing import Any

import pytest

from svc_auth.domain.audit import Action, Outcome
from svc_auth.domain.caller import Caller
from svc_auth.domain.revocation import Kind
from svc_auth.domain.throttle import LoginLimits

pytestmark = pytest.mark.anyio
NOBODY = "ffffffff-0000-4000-8000-000000000000"
PASSWORD, OTHER = "correct horse", "battery staple"


@pytest.fixture
async def alice(house: Any) -> Any:
    return await house.alice()


def own(house: Any, user: Any) -> Caller:
    caller: Caller = house.caller
    return replace(caller, actor=user.id)


async def login(house: Any, password: str = PASSWORD) -> Any:
    return await house.login(house.caller, username="alice", password=password)


async def written(house: Any, *actions: Action) -> list[Any]:
    return [entry for entry in await house.audited() if entry.action in actions]


async def test_a_disabled_user_gets_in_by_no_credential(
    house: Any, refusal: Any, alice: Any
) -> None:
    _, text = await house.create(house.caller, user_id=alice.id, name="ci", expires_at=None)
    users = house.user_servicer
    await house.told()
    await users.disable(house.caller, user_id=alice.id)
    assert await refusal(login(house)) == ("USER_DISABLED", "")
    assert await refusal(login(house, "wrong")) == ("BAD_CREDENTIALS", "")
    assert await refusal(house.exchange(text)) == ("INVALID_API_KEY", "")
    assert set(await house.told()) == {(Kind.USER, alice.id)}
    assert (await users.one(user_id=alice.id)).disabled_at == house.clock.now
    await users.enable(house.caller, user_id=alice.id)
    await login(house)
    await house.exchange(text)


async def test_a_disabling_ends_what_was_issued_until_everybody_can_see_it(
    house: Any, alice: Any
) -> None:
    began = house.clock.now
    real = house.store.users.disable_user

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(house.store.users, name)

        async def disable_user(self, *given: Any, **named: Any) -> Any:
            changed = await real(*given, **named)
            house.clock.now += 5_000_000
            return changed

    disable = replace(house.user_servicer.disable, users=Slow())
    await disable(house.caller, user_id=alice.id)
    stored = await house.store.revocations.after(0, also=(), limit=10)
    assert [one.revocation.at for one in stored] == [began, began + 5_000_000]


async def test_disabling_twice_is_told_and_written_once(house: Any, alice: Any) -> None:
    users = house.user_servicer
    await house.told()
    for _ in range(2):
        await users.disable(house.caller, user_id=alice.id)
    assert await house.told() == [(Kind.USER, alice.id)] * 2
    for _ in range(2):
        await users.enable(house.caller, user_id=alice.id)
    (off, on) = await written(house, Action.USER_DISABLED, Action.USER_ENABLED)
    assert (off.action, on.action) == (Action.USER_DISABLED, Action.USER_ENABLED)
    assert (off.caller, off.subject_id, off.user_id) == (house.caller, alice.id, alice.id)


async def test_nobody_shuts_itself_out(house: Any, refusal: Any, alice: Any) -> None:
    users, me = house.user_servicer, own(house, alice)
    await users.grant(house.caller, user_id=alice.id, role="ADMIN")
    refused = ("INVALID_ARGUMENT", "user_id")
    assert await refusal(users.disable(me, user_id=alice.id)) == refused
    assert await refusal(users.revoke(me, user_id=alice.id, role="ADMIN")) == refused


async def test_a_role_counts_from_the_next_session_and_ends_with_them_all(
    house: Any, alice: Any
) -> None:
    users = house.user_servicer
    await house.told()
    for _ in range(2):
        await users.grant(house.caller, user_id=alice.id, role="ADMIN")
    assert await house.told() == []
    assert (await login(house))[0].roles == ("ADMIN", "USER")
    for _ in range(2):
        await users.revoke(house.caller, user_id=alice.id, role="ADMIN")
    assert await house.told() == [(Kind.USER, alice.id)] * 2
    assert (await login(house))[0].roles == ("USER",)
    entries = await written(house, Action.ROLE_GRANTED, Action.ROLE_REVOKED)
    assert [(entry.action, entry.detail) for entry in entries] == [
        (Action.ROLE_GRANTED, "ADMIN"),
        (Action.ROLE_REVOKED, "ADMIN"),
    ]


@pytest.mark.parametrize("role", ["", "admin", "ADMIN ", "A-B", "1ST", "A" * 33, "\u00c4"])
async def test_what_is_no_role_is_refused(house: Any, refusal: Any, alice: Any, role: str) -> None:
    users = house.user_servicer
    for change in (users.grant, users.revoke):
        answer = await refusal(change(house.caller, user_id=alice.id, role=role))
        assert answer == ("INVALID_ARGUMENT", "role")


async def test_every_user_is_a_user(house: Any, refusal: Any, alice: Any) -> None:
    revoke = house.user_servicer.revoke(house.caller, user_id=alice.id, role="USER")
    assert await refusal(revoke) == ("INVALID_ARGUMENT", "role")


async def test_who_is_not_there_cannot_be_changed(house: Any, refusal: Any) -> None:
    users, me = house.user_servicer, house.caller
    for work in (
        users.one(user_id=NOBODY),
        users.disable(me, user_id=NOBODY),
        users.enable(me, user_id=NOBODY),
        users.grant(me, user_id=NOBODY, role="ADMIN"),
        users.revoke(me, user_id=NOBODY, role="ADMIN"),
        users.reset(me, user_id=NOBODY, password=OTHER),
    ):
        assert await refusal(work) == ("USER_NOT_FOUND", "")
    assert await house.audited() == []


async def test_a_changed_password_ends_the_other_sessions_and_begins_one(
    house: Any, refusal: Any, alice: Any
) -> None:
    await house.told()
    house.clock.now += 1
    token = await house.change_password(own(house, alice), current=PASSWORD, new=OTHER)
    assert await house.told() == [(Kind.SESSIONS, alice.id)] * 2
    assert await refusal(login(house)) == ("BAD_CREDENTIALS", "")
    await login(house, OTHER)
    assert token.expires_at == (house.clock.now // 1_000_000 + 3600) * 1_000_000
    (entry,) = await written(house, Action.PASSWORD_CHANGED)
    assert (entry.outcome, entry.caller.actor) == (Outcome.DONE, alice.id)


async def test_without_the_old_password_there_is_no_new_one(
    house: Any, refusal: Any, alice: Any
) -> None:
    await house.told()
    change = house.change_password(own(house, alice), current="wrong", new=OTHER)
    assert await refusal(change) == ("INVALID_ARGUMENT", "current_password")
    await login(house)
    assert await house.told() == []
    (entry,) = await written(house, Action.PASSWORD_CHANGED)
    assert entry.outcome is Outcome.REFUSED


async def test_a_new_password_keeps_the_rules(
    house: Any, refusal: Any, alice: Any, secure: Any
) -> None:
    house.policy = secure
    for new, reason in (("short", "WEAK_PASSWORD"), ("password1", "WEAK_PASSWORD")):
        change = house.change_password(own(house, alice), current=PASSWORD, new=new)
        assert await refusal(change) == (reason, "new_password")
        reset = house.user_servicer.reset(house.caller, user_id=alice.id, password=new)
        assert await refusal(reset) == (reason, "password")
    await login(house)


async def test_nobody_has_no_password_to_change(house: Any, refusal: Any) -> None:
    for caller in (Caller(), house.caller):
        change = house.change_password(caller, current=PASSWORD, new=OTHER)
        assert await refusal(change) == ("UNAUTHENTICATED", "")


async def test_of_two_changes_at_once_one_is_refused(house: Any, refusal: Any, alice: Any) -> None:
    account = await house.store.users.find_account(alice.id)
    await house.change_password(own(house, alice), current=PASSWORD, new=OTHER)

    class Before:
        def __getattr__(self, name: str) -> Any:
            return getattr(house.store.users, name)

        async def find_account(self, _user_id: str) -> Any:
            return account

    late = replace(house.change_password, users=Before())
    change = late(own(house, alice), current=PASSWORD, new="third password")
    assert await refusal(change) == ("INVALID_ARGUMENT", "current_password")
    await login(house, OTHER)


async def test_a_password_is_reset_without_the_old_one(
    house: Any, refusal: Any, alice: Any
) -> None:
    await house.told()
    await house.user_servicer.reset(house.caller, user_id=alice.id, password=OTHER)
    assert await house.told() == [(Kind.SESSIONS, alice.id)] * 2
    assert await refusal(login(house)) == ("BAD_CREDENTIALS", "")
    await login(house, OTHER)
    assert len(await written(house, Action.PASSWORD_RESET)) == 1


async def test_a_session_is_ended_by_its_own_token(house: Any, refusal: Any, alice: Any) -> None:
    await house.told()
    me = own(house, alice)
    await house.logout(me, token_id="j-1", expires_at=house.clock.now + 5)
    assert await house.told() == [(Kind.TOKEN, "j-1")]
    (entry,) = await written(house, Action.LOGOUT)
    assert (entry.subject_id, entry.user_id) == ("j-1", alice.id)
    assert await refusal(house.logout(Caller(), token_id="", expires_at=0)) == (
        "UNAUTHENTICATED",
        "",
    )
    keyed = replace(me, api_key_id="k")
    assert (await refusal(house.logout(keyed, token_id="j", expires_at=9)))[0] == "INVALID_ARGUMENT"


async def test_users_are_listed(house: Any, alice: Any) -> None:
    bob = await house.register(
        house.caller, username="bob", email="bob@example.com", password=PASSWORD
    )
    listed = await house.user_servicer.all_users(after="", limit=10)
    assert {one.id for one in listed} == {alice.id, bob.id}


async def test_who_fails_too_often_is_not_even_looked_at(
    house: Any, refusal: Any, alice: Any
) -> None:
    house.policy = replace(
        house.policy,
        login=LoginLimits(tries=2, longest_wait=30.0, address_tries=9, account_tries=9),
    )
    for _ in range(2):
        assert await refusal(login(house, "wrong")) == ("BAD_CREDENTIALS", "")
    for password in ("wrong", PASSWORD):
        assert await refusal(login(house, password)) == ("LOGIN_THROTTLED", "")
    # From elsewhere the same user gets in, and here it does a little later.
    elsewhere = replace(house.caller, address="2001:db8::1")
    await house.login(elsewhere, username="ALICE", password=PASSWORD)
    house.clock.now += 1_000_000
    await login(house)
    refused = await written(house, Action.LOGIN)
    assert [(entry.outcome, entry.detail) for entry in refused] == [
        (Outcome.REFUSED, "BAD_CREDENTIALS"),
        (Outcome.REFUSED, "BAD_CREDENTIALS"),
        (Outcome.DONE, ""),
        (Outcome.DONE, ""),
    ]
    assert {entry.user_id for entry in refused} == {alice.id}


async def test_a_refused_login_says_how_long_to_wait(house: Any, alice: Any) -> None:
    assert alice
    limits = LoginLimits(tries=1, longest_wait=30.0, address_tries=9, account_tries=9)
    house.policy = replace(house.policy, login=limits)
    attempt = house.password.begin(house.caller, "alice")
    assert not await attempt.right(None, PASSWORD)
    with pytest.raises(Exception, match="too many logins") as caught:
        house.password.begin(house.caller, "alice")
    error: Any = caught.value
    assert (error.retry_after, error.outcome.http_status) == (1.0, 429)


async def test_the_addresses_of_one_network_count_together(house: Any, refusal: Any) -> None:
    limits = LoginLimits(tries=1, longest_wait=30.0, address_tries=9, account_tries=99)
    house.policy = replace(house.policy, login=limits)
    for number in range(3):
        there = replace(house.caller, address=f"2001:db8:0:1::{number + 1}")
        work = house.login(there, username="alice", password="wrong")
        expected = "LOGIN_THROTTLED" if number else "BAD_CREDENTIALS"
        assert await refusal(work) == (expected, "")


async def test_what_is_typed_as_a_name_is_not_written_down(house: Any, refusal: Any) -> None:
    typed = "my password, oops"
    await refusal(house.login(house.caller, username=typed, password=PASSWORD))
    (entry,) = await house.audited()
    assert (entry.subject_id, entry.user_id, entry.detail) == ("", "", "BAD_CREDENTIALS")
    assert typed not in repr(entry)
