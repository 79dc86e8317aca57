import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mesh.clock import Clock
from mesh.storage.database import open_sqlite
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageStore
from svc_analytics.stores.sql import SqlUsageStore
from svc_analytics.usecases.expire import Expire
from svc_analytics.workers.retention import INTERVAL_SECONDS, Retention

pytestmark = pytest.mark.anyio


class Turns:
    """Lets the worker run so many turns, then stops it as a shutdown would."""

    def __init__(self, turns: int) -> None:
        self.left = turns
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.left -= 1
        if not self.left:
            raise asyncio.CancelledError


async def test_the_worker_deletes_at_start_and_then_every_ten_minutes(
    store: UsageStore, clock: Clock, make_event: Callable[..., UsageEvent]
) -> None:
    kept = make_event()
    await store.append([make_event(at_us=1), kept])
    pause = Turns(2)
    expire = Expire(store=store, clock=clock)
    with pytest.raises(asyncio.CancelledError):
        await Retention(expire=expire, retention_seconds=60.0, pause=pause)()
    assert list(await store.newest("openai", limit=9)) == [kept]
    assert pause.waited == [INTERVAL_SECONDS] * 2


async def test_the_worker_outlives_a_store_that_is_away(tmp_path: Path, clock: Clock) -> None:
    pause = Turns(3)
    async with open_sqlite(f"sqlite:///{tmp_path}") as database:
        expire = Expire(store=SqlUsageStore(database), clock=clock)
        with pytest.raises(asyncio.CancelledError):
            await Retention(expire=expire, retention_seconds=60.0, pause=pause)()
    assert len(pause.waited) == 3
