import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from svc_auth.crypto.passwords import Argon2Passwords
from svc_auth.crypto.turns import Turns

pytestmark = pytest.mark.anyio
PATIENCE = 30.0


async def test_a_hash_is_argon2id_with_at_least_19_mib_and_two_passes(passwords: Any) -> None:
    assert (await passwords.hash("x", asker="")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_the_same_password_never_hashes_the_same(passwords: Any) -> None:
    assert await passwords.hash("x", asker="") != await passwords.hash("x", asker="")


async def test_only_the_password_itself_is_verified(passwords: Any) -> None:
    hashed = await passwords.hash("correct horse", asker="")
    assert await passwords.verify(hashed, "correct horse", asker="")
    assert not await passwords.verify(hashed, "Correct horse", asker="")


async def test_without_a_hash_nothing_is_right(passwords: Any) -> None:
    assert not await passwords.verify(None, "correct horse", asker="")


async def test_an_impatient_caller_keeps_its_turn_until_the_hash_is_made() -> None:
    turns, door = Turns(1), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        hasher = Argon2Passwords(threads, turns)
        # In the only thread, so that no hash is made before.
        threads.submit(door.wait, PATIENCE)
        first = asyncio.ensure_future(hasher.hash("x", asker="a"))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        assert turns._free == 0
        door.set()
        second = await hasher.hash("x", asker="b")
    assert first.cancelled()
    assert second.startswith("$argon2id$")
    assert turns._free == 1
