from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def test_a_hash_is_argon2id_with_at_least_19_mib_and_two_passes(passwords: Any) -> None:
    assert (await passwords.hash("x")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_the_same_password_never_hashes_the_same(passwords: Any) -> None:
    assert await passwords.hash("x") != await passwords.hash("x")


async def test_only_the_password_itself_is_verified(passwords: Any) -> None:
    hashed = await passwords.hash("correct horse")
    assert await passwords.verify(hashed, "correct horse")
    assert not await passwords.verify(hashed, "Correct horse")


async def test_without_a_hash_nothing_is_right(passwords: Any) -> None:
    assert not await passwords.verify(None, "correct horse")
