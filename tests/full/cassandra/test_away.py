"""Cassandra is away: the answer meanwhile, and that nothing has to be started again."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from uuid import uuid4

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.ports import UsageStore
from svc_analytics.stores import SCHEMAS, STORES
from tests.parts.native import NativePart, native_part
from tests.parts.urls import CASSANDRA, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(CASSANDRA), reason="no Cassandra here"),
]
PATIENCE_SECONDS = 60.0
WINDOW = Window(start_us=0, end_us=1_000)


@pytest.fixture(scope="module")
def part() -> Iterator[NativePart]:
    with native_part("cassandra") as mine:
        yield mine


def an_event() -> UsageEvent:
    return UsageEvent(
        event_id=str(uuid4()),
        user_id=str(uuid4()),
        provider="openai",
        tokens=10,
        allowed=True,
        at_us=500,
    )


def verbs(store: UsageStore, event: UsageEvent) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: store.append([event]),
        lambda: store.newest("openai", limit=5),
        lambda: store.newest("openai", user=event.user_id, limit=5),
        lambda: store.summary("openai", WINDOW, top=5),
        lambda: store.by_bucket("openai", Buckets(window=WINDOW, width_us=10)),
        lambda: store.by_provider(WINDOW),
        lambda: store.delete_before(0, limit=5),
        store.ping,
    ]


async def refuses(store: UsageStore, event: UsageEvent, *, within: float) -> None:
    """Every verb says so, in a bounded time."""
    for verb in verbs(store, event):
        begun = time.monotonic()
        with pytest.raises(AppError) as refused:
            await verb()
        assert refused.value.reason == REASON_UNAVAILABLE
        assert refused.value.retry_after == 1
        assert time.monotonic() - begun < within


async def answers(store: UsageStore) -> None:
    """Returns once it does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await store.ping()
        except AppError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        else:
            return


async def test_a_store_opens_without_cassandra_and_lives_through_its_absence(
    part: NativePart,
) -> None:
    events = [an_event() for _ in range(3)]
    address = f"cassandra://127.0.0.1:{part.ports['CASSANDRA_PORT']}/usage"
    async with STORES.open(address) as store:
        await refuses(store, events[0], within=1)
        await asyncio.to_thread(part.start)
        async with SCHEMAS.open(address) as schema:
            await schema.upgrade()
        await answers(store)
        assert await store.append(events[:2]) == 2

        await asyncio.to_thread(part.stop)
        await refuses(store, events[2], within=2)
        await asyncio.to_thread(part.start)
        await answers(store)
        assert await store.append(events) == 1
        assert (await store.summary("openai", WINDOW, top=1)).totals.tokens == 30

        # One that hangs keeps its connections: the time of each call is bounded.
        os.kill(part.pid, signal.SIGSTOP)
        await refuses(store, an_event(), within=8)
        os.kill(part.pid, signal.SIGCONT)
        await answers(store)
        assert await store.append(events) == 0


async def test_no_url_with_a_password_is_ever_printed(
    part: NativePart, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    address = f"cassandra://leaky:s3cr3t-w0rd@127.0.0.1:{part.ports['CASSANDRA_PORT']}/usage"
    await asyncio.to_thread(part.stop)
    async with STORES.open(address) as store:
        with pytest.raises(AppError) as refused:
            await store.ping()
        printed = capfd.readouterr()
        said = printed.out + printed.err + caplog.text + str(refused.value)
        assert "cassandra is away" in said
        assert "s3cr3t" not in said


async def test_a_name_that_leads_nowhere_is_an_absence_too() -> None:
    address = "cassandra://nowhere.invalid/usage"
    async with STORES.open(address) as store:
        await refuses(store, an_event(), within=1)
    async with SCHEMAS.open(address) as schema:
        with pytest.raises(AppError) as refused:
            await schema.current()
        assert refused.value.reason == REASON_UNAVAILABLE
