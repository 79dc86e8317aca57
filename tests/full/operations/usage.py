"""Usage events as svc_analytics writes and tells them."""

from uuid import UUID

from svc_analytics.domain.usage import UsageEvent
from svc_analytics.domain.window import Buckets, Window
from svc_analytics.ports import UsageStore
from svc_analytics.stores.cassandra.calendar import HOUR_US

WEEK = Window(start_us=0, end_us=7 * 24 * HOUR_US)
USERS = [str(UUID(int=number)) for number in range(3)]
EVENTS = [
    UsageEvent(
        event_id=str(UUID(int=1_000 + number)),
        user_id=USERS[number % 3],
        org_id=None,
        provider=("openai", "qwen")[number % 2],
        tokens=number,
        allowed=number % 5 > 0,
        reason="" if number % 5 else "RATE_LIMITED",
        at_us=number * HOUR_US // 4,
    )
    for number in range(300)
]


async def told(store: UsageStore) -> list[object]:
    """All that is told of them: of each provider, of everybody and of each user."""
    hours = Buckets(window=WEEK, width_us=HOUR_US)
    found: list[object] = [set(await store.enforced_hours(WEEK))]
    for user in (None, *USERS):
        found.append({one.provider: one for one in await store.by_provider(WEEK, user=user)})
        for provider in ("openai", "qwen"):
            found += [
                list(await store.newest(provider, user=user, limit=200)),
                await store.summary(provider, WEEK, user=user, top=5),
                dict(await store.by_bucket(provider, hours, user=user)),
            ]
    return found
