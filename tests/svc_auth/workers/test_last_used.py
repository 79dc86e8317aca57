import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_auth.domain.api_key import ApiKey
from svc_auth.ports import ApiKeys
from svc_auth.stores.stores import AuthStores
from svc_auth.workers.last_used import LastUsed
from tests.svc_auth.records import add_key

pytestmark = pytest.mark.anyio
MINUTE = 60_000_000


class Flaky:
    """A store that may be away; the rest is the real one."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self.away = False
        self.writes: list[dict[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)

    async def touch_keys(self, used_at: Mapping[str, int]) -> None:
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "the database is away")
        self.writes.append(dict(used_at))
        await self._keys.touch_keys(used_at)


@pytest.fixture
async def keys(store: AuthStores) -> Flaky:
    await add_key(store, ApiKey(id="k", user_id="u", name="ci", prefix="p", created_at=1), "hash")
    return Flaky(store.keys)


async def _last(keys: Flaky) -> int | None:
    (key,) = await keys.keys_of("u")
    last: int | None = key.last_used_at
    return last


async def test_a_key_in_steady_use_is_written_once_a_minute(keys: Flaky) -> None:
    worker = LastUsed(keys)
    for at in (0, 1, MINUTE - 1, MINUTE, MINUTE + 1):
        worker.used("k", at)
        await worker.flush()
    assert [batch for batch in keys.writes if batch] == [{"k": 0}, {"k": MINUTE}]
    assert await _last(keys) == MINUTE


async def test_uses_of_many_keys_are_one_write(keys: Flaky) -> None:
    worker = LastUsed(keys)
    for number in range(100):
        worker.used(f"k{number}", number)
    await worker.flush()
    assert [len(batch) for batch in keys.writes] == [100]


async def test_what_is_pending_is_written_at_shutdown(keys: Flaky) -> None:
    asleep = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    worker = LastUsed(keys, sleep=sleep)
    running = asyncio.ensure_future(worker.run())
    await asleep.wait()
    worker.used("k", 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await _last(keys) == 5


async def test_it_flushes_in_between(keys: Flaky) -> None:
    slept: list[float] = []
    flushed = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            flushed.set()
            await asyncio.Event().wait()

    worker = LastUsed(keys, sleep=sleep)
    worker.used("k", 5)
    running = asyncio.ensure_future(worker.run())
    await flushed.wait()
    assert await _last(keys) == 5
    assert slept == [5.0, 5.0]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_store_that_is_away_gets_it_the_next_time(keys: Flaky) -> None:
    worker = LastUsed(keys)
    worker.used("k", 5)
    keys.away = True
    await worker.flush()
    keys.away = False
    await worker.flush()
    assert await _last(keys) == 5


async def test_what_it_remembers_is_bounded(keys: Flaky) -> None:
    worker = LastUsed(keys, remembered=3)
    for number in range(10):
        worker.used(f"k{number}", number)
    await worker.flush()
    assert keys.writes == [{"k0": 0, "k1": 1, "k2": 2}]
    worker.used("k9", 9)
    await worker.flush()
    assert keys.writes[1] == {"k9": 9}
