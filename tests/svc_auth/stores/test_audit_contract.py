"""What every store of auth writes down beside its effects, and how users change."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from svc_auth.domain.audit import Action, AuditEntry, AuditQuery, Outcome
from svc_auth.domain.caller import Caller
from svc_auth.domain.revocation import Revocation, of_key, of_token
from svc_auth.domain.user import User
from svc_auth.ports import Change
from svc_auth.stores.stores import AuthStores
from tests.svc_auth.records import (
    ALICE,
    BOB,
    HASH,
    KEY,
    ORG,
    OTHER_ORG,
    RECORD,
    USER,
    add_key,
    find_key,
)

pytestmark = pytest.mark.anyio


async def lines(store: AuthStores, **narrowed: Any) -> list[AuditEntry]:
    found = await store.audit.lines(AuditQuery(**narrowed), before=None, limit=100)
    return [line.entry for line in found]


async def revoked(store: AuthStores) -> list[Revocation]:
    found = await store.revocations.after(0, also=(), limit=100)
    return [one.revocation for one in found]


async def test_an_effect_is_written_down_with_what_it_revokes(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    assert await lines(store) == [RECORD.entry]
    assert await revoked(store) == list(RECORD.revocations)


async def test_what_changes_nothing_leaves_no_line(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    await store.users.add_user(USER, HASH, RECORD)
    await store.keys.revoke_key(ALICE, "no such key", at=1, record=RECORD)
    await store.memberships.put_member(ORG, ALICE, at=1, most=9, record=RECORD)
    await store.memberships.put_member(ORG, ALICE, at=1, most=9, record=RECORD)
    await store.memberships.remove_member(ORG, BOB, emptying=True, record=RECORD)
    await store.memberships.remove_member(OTHER_ORG, BOB, emptying=True, record=RECORD)
    await store.users.enable_user(ALICE, record=RECORD)
    await store.users.disable_user(BOB, at=1, record=RECORD)
    await store.users.grant_role(ALICE, "USER", record=RECORD)
    await store.users.revoke_role(ALICE, "ADMIN", record=RECORD)
    await store.users.set_password(ALICE, "new", replacing="another", record=RECORD)
    assert len(await lines(store)) == 2
    assert len(await revoked(store)) == 4


async def test_lines_are_read_newest_first_page_by_page(store: AuthStores) -> None:
    for at in range(5):
        await store.audit.note(replace(RECORD.entry, at=at, outcome=Outcome.REFUSED))
    first = await store.audit.lines(AuditQuery(), before=None, limit=3)
    rest = await store.audit.lines(AuditQuery(), before=first[-1].seq, limit=3)
    assert [line.entry.at for line in (*first, *rest)] == [4, 3, 2, 1, 0]
    assert {line.entry.outcome for line in first} == {Outcome.REFUSED}


async def test_lines_are_narrowed_by_user_action_and_time(store: AuthStores) -> None:
    entry = RECORD.entry
    other = replace(entry, caller=Caller(), user_id="", action=Action.LOGIN, at=6)
    third = replace(entry, caller=Caller(actor=ALICE), user_id=ORG, at=7)
    for one in (entry, other, third):
        await store.audit.note(one)
    assert await lines(store, user=ALICE) == [third, entry]
    assert await lines(store, user=BOB) == [entry]
    assert await lines(store, action=Action.LOGIN) == [other]
    assert await lines(store, since=6) == [third, other]
    assert await lines(store, since=6, until=7) == [other]


async def test_the_longest_that_a_caller_may_say_is_written_down(store: AuthStores) -> None:
    caller = Caller(actor=BOB, address="f" * 90, correlation_id="c" * 128, trace_id="t" * 32)
    await store.audit.note(replace(RECORD.entry, caller=caller))
    (line,) = await lines(store)
    assert line.caller == replace(caller, address="f" * 64)


async def test_a_user_is_disabled_and_enabled_once(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    await add_key(store, KEY, "h1")
    answers = [await store.users.disable_user(ALICE, at=at, record=RECORD) for at in (8, 9)]
    assert answers == [Change.DONE, Change.UNCHANGED]
    found = await store.users.find_user(ALICE)
    assert found is not None
    assert (found.disabled, found.disabled_at) == (True, 8)
    holder = await find_key(store, "h1")
    assert holder is not None
    assert holder.disabled
    answers = [await store.users.enable_user(ALICE, record=RECORD) for _ in range(2)]
    assert answers == [Change.DONE, Change.UNCHANGED]
    assert await store.users.find_user(ALICE) == USER
    assert await store.users.disable_user(BOB, at=8, record=RECORD) is Change.NO_USER
    assert await store.users.enable_user(BOB, record=RECORD) is Change.NO_USER


async def test_roles_come_and_go(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    answers = [await store.users.grant_role(ALICE, "ADMIN", record=RECORD) for _ in range(2)]
    assert answers == [Change.DONE, Change.UNCHANGED]
    found = await store.users.find_user(ALICE)
    assert found is not None
    assert found.roles == ("ADMIN", "USER")
    answers = [await store.users.revoke_role(ALICE, "ADMIN", record=RECORD) for _ in range(2)]
    assert answers == [Change.DONE, Change.UNCHANGED]
    assert await store.users.find_user(ALICE) == USER
    assert await store.users.grant_role(BOB, "ADMIN", record=RECORD) is Change.NO_USER
    assert await store.users.revoke_role(BOB, "ADMIN", record=RECORD) is Change.NO_USER


async def test_of_two_changes_of_one_password_one_counts(store: AuthStores) -> None:
    await store.users.add_user(USER, HASH, RECORD)
    answers = await asyncio.gather(
        *(
            store.users.set_password(ALICE, new, replacing=HASH, record=RECORD)
            for new in ("one", "two")
        )
    )
    assert sorted(answers) == [Change.DONE, Change.UNCHANGED]
    reset = store.users.set_password(ALICE, "three", replacing=None, record=RECORD)
    assert await reset is Change.DONE
    found = await store.users.find_account(ALICE)
    assert found is not None
    assert found.password_hash == "three"
    nobody = store.users.set_password(BOB, "four", replacing=None, record=RECORD)
    assert await nobody is Change.NO_USER


async def test_users_are_listed_page_by_page(store: AuthStores) -> None:
    people = [
        User(
            id=f"{number:08d}-0000-4000-8000-000000000000",
            username=f"user{number}",
            email=f"{number}@example.com",
            roles=("ADMIN", "USER") if number % 2 else ("USER",),
            created_at=9 - number,
        )
        for number in range(5)
    ]
    for one in people:
        await store.users.add_user(one, HASH, RECORD)
    first = await store.users.list_users(after="", limit=3)
    assert list(first) == people[:3]
    assert list(await store.users.list_users(after=first[-1].id, limit=3)) == people[3:]
    assert list(await store.users.list_users(after=people[-1].id, limit=3)) == []


async def test_revocations_are_read_by_their_places(store: AuthStores) -> None:
    assert await store.revocations.newest() == 0
    for at in range(4):
        record = replace(RECORD, revocations=(of_token(str(at), at=at, expires_at=10 + at),))
        await store.revocations.revoke(record)
    await store.revocations.repeat(of_key("again", at=4))
    everything = await store.revocations.after(0, also=(), limit=100)
    assert [one.revocation.subject for one in everything] == ["0", "1", "2", "3", "again"]
    places = [one.seq for one in everything]
    assert await store.revocations.newest() == places[-1]
    some = await store.revocations.after(places[3], also=[places[1], 10**6], limit=100)
    assert [one.seq for one in some] == [places[1], places[4]]
    assert [one.seq for one in await store.revocations.after(0, also=(), limit=2)] == places[:2]
    assert len(await lines(store)) == 4


async def test_what_stands_is_what_has_not_ended(store: AuthStores) -> None:
    for at in range(4):
        record = replace(RECORD, revocations=(of_token(str(at), at=at, expires_at=10 + at),))
        await store.revocations.revoke(record)
    standing = await store.revocations.standing(11, after=0, limit=1)
    assert [one.revocation.subject for one in standing] == ["2"]
    more = await store.revocations.standing(11, after=standing[0].seq, limit=5)
    assert [one.revocation.subject for one in more] == ["3"]
    assert await store.revocations.forget(ended_before=12) == 2
    assert [one.subject for one in await revoked(store)] == ["2", "3"]
