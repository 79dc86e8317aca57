"""Whoever copies the data folder's database gets no password, key or token."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesh.errors import AppError
from svc_auth.domain.audit import Action
from svc_auth.domain.membership import Standing

pytestmark = pytest.mark.anyio
ORG = "00000000-0000-4000-8000-00000000000a"


def _bytes_of(folder: Path) -> bytes:
    # The write-ahead log is the database too.
    return b"".join(file.read_bytes() for file in folder.glob("auth.db*"))


async def test_no_secret_is_in_the_database_in_clear(
    house: Any, store_url: str, tmp_path: Path
) -> None:
    if not store_url.startswith("sqlite:"):
        pytest.skip("looks at SQLite's own files")
    user, session = await house.sign_up(
        house.caller, username="alice", email="alice@example.com", password="correct horse"
    )
    _, text = await house.create(
        house.caller, user_id=user.id, name="nightly build", expires_at=None
    )
    _, token = await house.exchange(text)
    org = (await house.create_org(house.by(user.id), name="Acme")).organization
    _, invitation = await house.invite(
        house.caller, org_id=org.id, email="bob@example.com", standing=Standing.MEMBER
    )
    bytes_kept = _bytes_of(tmp_path)
    assert b"nightly build" in bytes_kept
    assert b"alice@example.com" in bytes_kept
    assert b"bob@example.com" in bytes_kept
    secret = text.split("_", 2)[2]
    pems = [house.keyring.session.pem, house.keyring.mesh.pem]
    for kept_from_it in (
        "correct horse",
        text,
        secret,
        secret[4:],
        invitation.removeprefix("leaky_invite_"),
        session.text,
        token.text,
        "PRIVATE KEY",
        *(line for pem in pems for line in pem.splitlines()[1:-1]),
    ):
        assert kept_from_it.encode() not in bytes_kept


async def test_no_secret_is_in_the_audit_log(house: Any) -> None:
    """After everything that svc_auth writes down has been done, and refused."""
    me = house.caller
    alice, session = await house.sign_up(
        me, username="alice", email="alice@example.com", password="correct horse"
    )
    mine = replace(me, actor=alice.id)
    key, text = await house.create(mine, user_id=alice.id, name="my key", expires_at=None)
    _, token = await house.exchange(text)
    new, new_text = await house.rotate(mine, user_id=alice.id, key_id=key.id)
    await house.delete(mine, user_id=alice.id, key_id=new.id)
    for username, password in (("alice", "wrong horse"), ("typed password", "correct horse")):
        with pytest.raises(AppError):
            await house.login(me, username=username, password=password)
    _, second = await house.login(me, username="alice", password="correct horse")
    third = await house.change_password(mine, current="correct horse", new="battery staple")
    with pytest.raises(AppError):
        await house.change_password(mine, current="wrong horse", new="another staple")
    users = house.user_servicer
    await users.reset(me, user_id=alice.id, password="third staple")
    await users.grant(me, user_id=alice.id, role="ADMIN")
    await users.revoke(me, user_id=alice.id, role="ADMIN")
    await users.disable(me, user_id=alice.id)
    await users.enable(me, user_id=alice.id)
    await house.put(me, org_id=ORG, user_id=alice.id)
    await house.remove(me, org_id=ORG, user_id=alice.id)
    invitations = await _organise(house, alice.id)
    await house.logout(mine, token_id="j-1", expires_at=house.clock.now + 1)
    entries = await house.audited()
    # What OAuth2 writes is looked at where its clients are.
    own = {one for one in Action if not one.startswith(("OAUTH", "SIGNING"))}
    assert {entry.action for entry in entries} == own
    said = repr(entries)
    tokens = (session, token, second, third)
    for kept_from_it in (
        *("correct horse", "wrong horse", "typed password", "battery staple", "third staple"),
        *("another staple", text, text.split("_", 2)[2], new_text, new_text.split("_", 2)[2]),
        *(part for one in tokens for part in (one.text, one.text.rpartition(".")[2])),
        *(house.maker.kept(text).key_hash, *invitations, "bob@example.com"),
    ):
        assert kept_from_it not in said


async def _organise(house: Any, owner: str) -> list[str]:
    """Everything that is done to an organisation; the tokens of its invitations."""
    bob, by = await house.user("bob"), house.by(owner)
    org = (await house.create_org(by, name="Acme")).organization
    await house.rename_org(by, org_id=org.id, name="Acme Ltd")
    made, unused = await house.invite(
        by, org_id=org.id, email="carol@example.com", standing=Standing.BILLING
    )
    await house.withdraw(by, org_id=org.id, invitation_id=made.id)
    _, token = await house.invite(by, org_id=org.id, email=bob.email, standing=Standing.BILLING)
    await house.accept(house.by(bob.id), token=token)
    await house.set_role(by, org_id=org.id, user_id=bob.id, standing=Standing.MEMBER)
    await house.transfer(by, org_id=org.id, taker=bob.id, for_all=False)
    return [unused, token]
