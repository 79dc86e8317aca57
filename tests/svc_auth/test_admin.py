from pathlib import Path
from typing import Any

import pytest

from mesh.errors import AppError
from mesh.settings.source import SettingsError
from svc_auth.admin import (
    create_admin,
    disable_user,
    enable_user,
    grant_role,
    list_users,
    reset_password,
    revoke_role,
)
from svc_auth.domain.audit import Action
from svc_auth.domain.revocation import Kind
from svc_auth.settings import AuthSettings
from svc_auth.stores import STORES

pytestmark = pytest.mark.anyio
WHO = {"username": "root", "email": "root@example.com", "password": "correct horse"}


async def test_the_first_admin_is_made_before_the_first_start(tmp_path: Path) -> None:
    settings = AuthSettings(data=tmp_path / "not yet there")
    user_id = await create_admin(settings, **WHO)
    async with STORES.open(settings.store_url) as store:
        found = await store.users.find_login("root")
    assert found is not None
    assert (found.user.id, found.user.roles) == (user_id, ("ADMIN", "USER"))


def settings_of(store_url: str, folder: Path) -> AuthSettings:
    return AuthSettings.model_validate({"data": folder, "auth": {"store": store_url}})


async def test_an_admin_is_made_while_the_service_is_up(
    house: Any, store_url: str, tmp_path: Path
) -> None:
    user_id = await create_admin(settings_of(store_url, tmp_path), **WHO)
    user, _ = await house.login(house.caller, username="root", password=WHO["password"])
    assert user.id == user_id
    assert await house.roles(user_id=user_id) == ("ADMIN", "USER")


async def test_nobody_becomes_admin_by_registering_again(
    house: Any, store_url: str, tmp_path: Path
) -> None:
    alice = await house.alice()
    again = WHO | {"username": "Alice"}
    with pytest.raises(AppError) as caught:
        await create_admin(settings_of(store_url, tmp_path), **again)
    assert caught.value.outcome.name == "USERNAME_TAKEN"
    assert await house.roles(user_id=alice.id) == ("USER",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"username": "r"}, "INVALID_ARGUMENT"),
        ({"email": "root"}, "INVALID_ARGUMENT"),
        ({"password": ""}, "INVALID_ARGUMENT"),
        ({"password": "short"}, "WEAK_PASSWORD"),
        ({"password": "Password123"}, "WEAK_PASSWORD"),
    ],
)
async def test_an_admin_keeps_the_same_rules(
    tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    settings = AuthSettings.model_validate({"data": tmp_path, "profile": "secure"})
    with pytest.raises(AppError) as caught:
        await create_admin(settings, **WHO | change)
    assert caught.value.outcome.name == reason


async def test_what_an_operator_does_is_heard_by_the_service_and_written_down(
    house: Any, store_url: str, tmp_path: Path
) -> None:
    settings = settings_of(store_url, tmp_path)
    alice = await house.alice()
    await house.told()
    await disable_user(settings, user="ALICE")
    assert set(await house.told()) == {(Kind.USER, alice.id)}
    await enable_user(settings, user=alice.id.upper())
    await grant_role(settings, user="alice", role="ADMIN")
    assert await house.roles(user_id=alice.id) == ("ADMIN", "USER")
    rows = [tuple(row) async for row in list_users(settings)]
    assert rows == [(alice.id, "alice", "alice@example.com", "ADMIN USER", "")]
    await revoke_role(settings, user="alice", role="ADMIN")
    await reset_password(settings, user="alice", password="battery staple")
    await house.login(house.caller, username="alice", password="battery staple")
    done = [entry for entry in await house.audited() if entry.caller.actor == "operator"]
    assert [entry.action for entry in done] == [
        Action.USER_DISABLED,
        Action.USER_ENABLED,
        Action.ROLE_GRANTED,
        Action.ROLE_REVOKED,
        Action.PASSWORD_RESET,
    ]


@pytest.mark.parametrize("who", ["nobody", "ffffffff-0000-4000-8000-000000000000", ""])
async def test_an_operator_is_told_of_a_user_that_there_is_not(tmp_path: Path, who: str) -> None:
    with pytest.raises(AppError) as caught:
        await disable_user(AuthSettings(data=tmp_path), user=who)
    assert caught.value.outcome.name == "USER_NOT_FOUND"


async def test_an_operators_list_of_refused_passwords_counts(tmp_path: Path) -> None:
    listed = tmp_path / "refused.txt"
    listed.write_text("Hunter Of Snarks\n\n")
    password = {"blocklist": True, "blocklist-file": str(listed)}
    settings = AuthSettings.model_validate({"data": tmp_path, "auth": {"password": password}})
    with pytest.raises(AppError, match="list of refused"):
        await create_admin(settings, **WHO | {"password": "hunter of snarks"})
    listed.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        await create_admin(settings, **WHO)
