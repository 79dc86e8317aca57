"""What every usage store tells of events to whoever compares them with a ledger."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from svc_analytics.domain.audit import EventKey, HourCount
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import MINUTE_US, Window
from svc_analytics.ports import UsageStore
from tests.svc_analytics.conftest import NOW_US

pytestmark = pytest.mark.anyio
Make = Callable[..., UsageEvent]
HOUR_US = 60 * MINUTE_US
HOUR = NOW_US // HOUR_US
START = HOUR * HOUR_US
DAY = Window(start_us=START - 2 * HOUR_US, end_us=START + 2 * HOUR_US)


async def test_events_are_found_by_all_of_their_key(store: UsageStore, make_event: Make) -> None:
    events = [make_event(at_us=NOW_US + at, org_id="o" if at else None) for at in range(3)]
    missing = make_event()
    await store.append(events)
    keys = [EventKey.of(event) for event in (*events, missing)]
    found = {event.event_id: event for event in await store.find(keys)}
    assert found == {event.event_id: event for event in events}
    elsewhere = [replace(keys[0], provider="qwen"), replace(keys[1], at_us=5)]
    assert list(await store.find(elsewhere)) == []
    assert await store.known([key.event_id for key in keys]) == {key.event_id for key in keys[:3]}


async def test_a_full_page_of_keys_is_found(store: UsageStore, make_event: Make) -> None:
    events = [make_event() for _ in range(500)]
    await store.append(events)
    assert len(await store.find([EventKey.of(event) for event in events])) == 500
    assert len(await store.known([event.event_id for event in events])) == 500


async def test_hours_count_what_was_allowed_and_enforced(
    store: UsageStore, make_event: Make
) -> None:
    await store.append(
        [
            make_event(at_us=START, tokens=1),
            make_event(at_us=START + HOUR_US - 1, tokens=10),
            make_event(at_us=START + HOUR_US, tokens=100),
            make_event(at_us=START, tokens=1_000, provider="qwen"),
            make_event(at_us=START, allowed=False, reason="RATE_LIMITED"),
            make_event(at_us=START, reason="unenforced"),
        ]
    )
    counts = await store.enforced_hours(DAY)
    assert set(counts) == {
        HourCount(provider="openai", hour=HOUR, events=2, tokens=11),
        HourCount(provider="openai", hour=HOUR + 1, events=1, tokens=100),
        HourCount(provider="qwen", hour=HOUR, events=1, tokens=1_000),
    }
    part = Window(start_us=START + 1, end_us=START + HOUR_US)
    assert list(await store.enforced_hours(part)) == [
        HourCount(provider="openai", hour=HOUR, events=1, tokens=10)
    ]


async def test_enforced_events_come_in_pages_by_time_and_id(
    store: UsageStore, make_event: Make
) -> None:
    events = [make_event(at_us=START + number // 3) for number in range(20)]
    beside = [
        make_event(at_us=START, allowed=False),
        make_event(at_us=START + 1, reason="unenforced"),
        make_event(at_us=START + 1, provider="qwen"),
        make_event(at_us=START + HOUR_US),
    ]
    await store.append([*events, *beside])
    window = Window(start_us=START, end_us=START + HOUR_US)
    seen: list[UsageEvent] = []
    page = await store.enforced("openai", window, limit=4)
    while page:
        seen += page
        last = page[-1]
        window = Window(start_us=last.at_us, end_us=window.end_us)
        page = await store.enforced("openai", window, after_id=last.event_id, limit=4)
    assert seen == sorted(events, key=lambda event: (event.at_us, event.event_id))


async def test_denied_events_do_not_end_a_page(store: UsageStore, make_event: Make) -> None:
    denied = [make_event(at_us=START, allowed=False) for _ in range(40)]
    last = make_event(at_us=START + 1)
    await store.append([*denied, last])
    window = Window(start_us=START, end_us=START + 2)
    assert list(await store.enforced("openai", window, limit=2)) == [last]
