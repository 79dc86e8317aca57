from pathlib import Path
from typing import Any

import pytest

from mesh.errors import AppError
from svc_auth.admin import create_admin
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
