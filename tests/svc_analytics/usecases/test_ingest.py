from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.errors import AppError
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageStore
from svc_analytics.usecases.ingest import Ingest

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]


def ingested(outcome: str) -> float:
    value = REGISTRY.get_sample_value("analytics_events_ingested_total", {"outcome": outcome})
    return value or 0.0


async def test_delivering_a_batch_again_stores_nothing_more(
    store: UsageStore, make_event: Make
) -> None:
    ingest = Ingest(store=store)
    batch = [make_event(), make_event()]
    assert await ingest(batch) == 2
    assert await ingest([*batch, make_event()]) == 1
    assert len(await store.newest("openai", limit=9)) == 3


async def test_stored_and_duplicate_events_are_counted(store: UsageStore, make_event: Make) -> None:
    stored, duplicate = ingested("stored"), ingested("duplicate")
    event = make_event()
    await Ingest(store=store)([event, make_event()])
    await Ingest(store=store)([event])
    assert ingested("stored") - stored == 2
    assert ingested("duplicate") - duplicate == 1


async def test_one_bad_event_refuses_the_batch_and_is_named(
    store: UsageStore, make_event: Make
) -> None:
    with pytest.raises(AppError) as refused:
        await Ingest(store=store)([make_event(), make_event(tokens=-1), make_event(at_us=-1)])
    assert refused.value.reason == REASON_INVALID_ARGUMENT
    fields = [violation.field for violation in refused.value.violations]
    assert fields == ["events[1].tokens", "events[2].timestamp"]
    assert list(await store.newest("openai", limit=9)) == []


async def test_a_thousand_events_are_a_batch_and_one_more_is_not(
    store: UsageStore, make_event: Make
) -> None:
    batch = [make_event() for _ in range(1_001)]
    with pytest.raises(AppError) as refused:
        await Ingest(store=store)(batch)
    assert [violation.field for violation in refused.value.violations] == ["events"]
    assert await Ingest(store=store)(batch[:1_000]) == 1_000


async def test_an_empty_batch_is_fine(store: UsageStore) -> None:
    assert await Ingest(store=store)([]) == 0
