"""A clock that stands still, events, and every store that there is."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from svc_analytics.domain.usage import UsageEvent
from svc_analytics.ports import UsageStore
from svc_analytics.stores import STORES
from tests.svc_analytics.backends import BACKENDS, store_url

NOW_US = 1_700_000_000_123_456


@dataclass
class StillClock:
    now: int = NOW_US

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000_000


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def make_event() -> Callable[..., UsageEvent]:
    numbers = count(1)

    def make(
        *,
        event_id: str = "",
        user_id: str = "00000000-0000-4000-8000-00000000000a",
        org_id: str | None = None,
        provider: str = "openai",
        tokens: int = 10,
        allowed: bool = True,
        reason: str = "",
        at_us: int = NOW_US,
    ) -> UsageEvent:
        return UsageEvent(
            event_id=event_id or str(UUID(int=next(numbers))),
            user_id=user_id,
            org_id=org_id,
            provider=provider,
            tokens=tokens,
            allowed=allowed,
            reason=reason,
            at_us=at_us,
        )

    return make


@pytest.fixture(params=BACKENDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[UsageStore]:
    async with STORES.open(await store_url(request.param, tmp_path)) as opened:
        yield opened
