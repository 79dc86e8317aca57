"""A reconciliation goes through what analytics has with connections and time of its own."""

from contextlib import AsyncExitStack

import pytest

from mesh.storage.asyncpg_engine import CONNECTIONS, Patience
from mesh.storage.postgresql import open_postgresql
from svc_analytics.domain.audit import EventKey
from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Window
from svc_analytics.stores import SCHEMAS
from svc_analytics.stores.sql import SqlUsageStore
from tests.parts.postgresql import migrated_database
from tests.parts.urls import POSTGRESQL, url

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs PostgreSQL"),
]
NOW_US = 1_700_000_000_123_456
WEEK = Window(start_us=NOW_US - 7 * 86_400_000_000, end_us=NOW_US + 1)
EVENT = UsageEvent(
    event_id="00000000-0000-4000-8000-000000000001",
    user_id="00000000-0000-4000-8000-00000000000a",
    provider="openai",
    tokens=10,
    allowed=True,
    at_us=NOW_US,
)


async def test_while_callers_have_every_connection_events_are_counted_and_found() -> None:
    database_url = await migrated_database("analytics", SCHEMAS)
    hasty = Patience(connection=0.1)
    async with open_postgresql(database_url, patience=hasty) as database, AsyncExitStack() as stack:
        store = SqlUsageStore(database)
        await store.append([EVENT])
        for _ in range(CONNECTIONS):
            await stack.enter_async_context(database.read())
        assert [one.events for one in await store.enforced_hours(WEEK)] == [1]
        assert list(await store.find([EventKey.of(EVENT)])) == [EVENT]
        assert await store.known([EVENT.event_id]) == {EVENT.event_id}
