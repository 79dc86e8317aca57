"""Random histories: the store answers what a plain list of events would."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svc_analytics.domain.totals import ProviderUsage, Summary, Totals, UserTotals
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.ports import UsageStore
from svc_analytics.stores import STORES
from tests.svc_analytics.backends import BACKENDS, store_url

USERS = [str(UUID(int=number)) for number in range(4)]
PROVIDERS = ["openai", "qwen", "gemini"]
# Few moments and few ids, so that ties, edges and duplicates are common.
EVENTS = st.builds(
    UsageEvent,
    event_id=st.integers(0, 40).map(lambda number: str(UUID(int=number))),
    user_id=st.sampled_from(USERS),
    provider=st.sampled_from(PROVIDERS),
    tokens=st.integers(0, 1_000),
    allowed=st.booleans(),
    at_us=st.integers(0, 30),
)
BATCHES = st.lists(
    st.lists(EVENTS, max_size=20, unique_by=lambda event: event.event_id), max_size=5
)
WINDOWS = st.tuples(st.integers(0, 30), st.integers(1, 31)).map(
    lambda ends: Window(start_us=ends[0], end_us=ends[0] + ends[1])
)
SCOPES = st.none() | st.sampled_from(USERS)


def totals(events: Sequence[UsageEvent]) -> Totals:
    return Totals(
        events=len(events),
        denied=sum(not event.allowed for event in events),
        tokens=sum(event.tokens for event in events if event.allowed),
    )


class Model:
    def __init__(self) -> None:
        self.events: dict[str, UsageEvent] = {}

    def append(self, events: Iterable[UsageEvent]) -> int:
        before = len(self.events)
        for event in events:
            self.events.setdefault(event.event_id, event)
        return len(self.events) - before

    def of(self, provider: str | None, user: str | None) -> list[UsageEvent]:
        return [
            event
            for event in self.events.values()
            if provider in {None, event.provider} and user in {None, event.user_id}
        ]

    def newest(self, provider: str, user: str | None, limit: int) -> list[UsageEvent]:
        events = self.of(provider, user)
        return sorted(events, key=lambda one: (one.at_us, one.event_id), reverse=True)[:limit]

    def inside(self, provider: str | None, user: str | None, window: Window) -> list[UsageEvent]:
        events = self.of(provider, user)
        return [event for event in events if window.start_us <= event.at_us < window.end_us]

    def summary(self, provider: str, user: str | None, window: Window, top: int) -> Summary:
        events = self.inside(provider, user, window)
        users = []
        for name in {event.user_id for event in events}:
            sums = totals([event for event in events if event.user_id == name])
            users.append(UserTotals(user_id=name, tokens=sums.tokens, events=sums.events))
        users.sort(key=lambda one: (-one.tokens, -one.events, one.user_id))
        return Summary(totals=totals(events), unique_users=len(users), top_users=tuple(users[:top]))

    def by_bucket(self, provider: str, user: str | None, buckets: Buckets) -> dict[int, Totals]:
        groups = defaultdict(list)
        for event in self.inside(provider, user, buckets.window):
            groups[(event.at_us - buckets.window.start_us) // buckets.width_us].append(event)
        return {index: totals(events) for index, events in groups.items()}

    def by_provider(self, user: str | None, window: Window) -> list[ProviderUsage]:
        groups = defaultdict(list)
        for event in self.inside(None, user, window):
            groups[event.provider].append(event)
        return [
            ProviderUsage(
                provider=name,
                totals=totals(events),
                last_us=max(event.at_us for event in events),
            )
            for name, events in sorted(groups.items())
        ]

    def delete_before(self, cutoff_us: int) -> int:
        old = [event for event in self.events.values() if event.at_us < cutoff_us]
        for event in old:
            del self.events[event.event_id]
        return len(old)


async def agree(
    store: UsageStore, model: Model, buckets: Buckets, user: str | None, most: int
) -> None:
    window = buckets.window
    for provider in PROVIDERS:
        newest = await store.newest(provider, user=user, limit=most)
        assert list(newest) == model.newest(provider, user, most)
        summary = await store.summary(provider, window, user=user, top=most)
        assert summary == model.summary(provider, user, window, most)
        by_bucket = await store.by_bucket(provider, buckets, user=user)
        assert dict(by_bucket) == model.by_bucket(provider, user, buckets)
    by_provider = await store.by_provider(window, user=user)
    assert sorted(by_provider, key=lambda one: one.provider) == model.by_provider(user, window)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batches=BATCHES,
    buckets=st.builds(Buckets, window=WINDOWS, width_us=st.integers(1, 31)),
    user=SCOPES,
    most=st.integers(1, 5),
    cutoff=st.integers(0, 31),
)
def test_any_history_reads_as_the_model_says(
    *,
    batches: list[list[UsageEvent]],
    buckets: Buckets,
    user: str | None,
    most: int,
    cutoff: int,
    backend: str,
) -> None:
    async def replay(folder: str) -> None:
        model = Model()
        async with STORES.open(await store_url(backend, Path(folder))) as store:
            for batch in batches:
                assert await store.append(batch) == model.append(batch)
            await agree(store, model, buckets, user, most)
            assert await store.delete_before(cutoff, limit=1_000) == model.delete_before(cutoff)
            await agree(store, model, buckets, user, most)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(replay(folder))
