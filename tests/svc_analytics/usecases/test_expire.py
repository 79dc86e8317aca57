from collections.abc import Callable

import pytest

from mesh.clock import Clock
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import SECOND_US
from svc_analytics.ports import UsageStore
from svc_analytics.usecases.expire import Expire

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]


async def test_events_past_their_retention_go_and_one_exactly_that_old_stays(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    now = clock.now_us()
    kept = [make_event(at_us=now), make_event(at_us=now - 10 * SECOND_US)]
    await store.append([*kept, make_event(at_us=now - 10 * SECOND_US - 1)])
    assert await Expire(store=store, clock=clock)(retention_seconds=10.0) == 1
    assert list(await store.newest("openai", limit=9)) == kept


@pytest.mark.parametrize("old", [0, 4, 5, 6, 15])
async def test_everything_old_goes_whatever_the_batches(
    store: UsageStore, clock: Clock, make_event: Make, old: int
) -> None:
    await store.append([make_event(at_us=number) for number in range(old)] + [make_event()])
    assert await Expire(store=store, clock=clock, batch=5)(retention_seconds=60.0) == old
    assert len(await store.newest("openai", limit=99)) == 1


async def test_a_deletion_takes_no_more_than_its_batch_at_a_time(
    store: UsageStore, clock: Clock, make_event: Make
) -> None:
    limits = []

    class Watched:
        async def delete_before(self, cutoff_us: int, *, limit: int) -> int:
            limits.append(limit)
            return await store.delete_before(cutoff_us, limit=limit)

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

    await store.append([make_event(at_us=number) for number in range(7)])
    watched: UsageStore = Watched()  # type: ignore[assignment] # the rest is handed on
    await Expire(store=watched, clock=clock, batch=3)(retention_seconds=60.0)
    assert limits == [3, 3, 3]
