"""A house whose tables can be tampered with, and a reconciliation of it."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from svc_token.domain.audit.difference import Difference
from svc_token.domain.events import UsageEvent
from svc_token.domain.operations import Reserve, Settle
from svc_token.domain.owner import Owner, PoolKey
from svc_token.domain.pool import Pool
from svc_token.stores import SCHEMAS
from svc_token.usecases.reconcile.comparison import Compared, Comparison
from tests.parts import postgresql
from tests.parts.urls import POSTGRESQL, backends
from tests.svc_token.conftest import ORG, USER, HandClock, House, house_in

KEY = PoolKey(Owner.of(USER, ORG), "openai")


@dataclass
class Audited:
    """A house, and a way past its code to its tables."""

    house: House
    url: str

    async def plant(self, statement: str) -> None:
        """Writes as nobody should."""
        if self.url.startswith("sqlite"):
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as connection:
                connection.execute(statement)
            connection.close()
        else:
            await postgresql.execute(self.url, statement)

    async def open_pool(self, allowance: int = 1_000, key: PoolKey = KEY) -> None:
        window = self.house.limits.window(self.house.clock.now_us())
        pool = Pool(key=key, window=window.id, allowance=allowance, updated_us=self.now)
        assert await self.house.stores.pools.create(pool)

    @property
    def now(self) -> int:
        return self.house.clock.now_us()

    async def reserve(self, name: str, tokens: int = 10, key: PoolKey = KEY) -> None:
        reserve = Reserve(
            id=name,
            pool=key,
            user_id=USER,
            tokens=tokens,
            allowance=None,
            window=self.house.limits.window(self.now),
            now_us=self.now,
            expires_us=self.now + 60_000_000,
        )
        await self.house.stores.ledger.submit(reserve)

    async def settle(self, name: str, tokens: int = 10, key: PoolKey = KEY) -> UsageEvent:
        event = self.event(self.house.ids.new(), tokens, key)
        settle = Settle(
            id=name,
            pool=key,
            tokens=tokens,
            event=event,
            window=self.house.limits.window(self.now),
            now_us=self.now,
        )
        await self.house.stores.ledger.submit(settle)
        return event

    def event(self, event_id: str, tokens: int = 10, key: PoolKey = KEY) -> UsageEvent:
        return UsageEvent(
            event_id=event_id,
            user_id=USER,
            org_id=key.owner.id if key.owner.kind == "org" else None,
            provider=key.provider,
            tokens=tokens,
            allowed=True,
            reason="",
            at_us=self.now,
        )

    async def deliver(self) -> Sequence[UsageEvent]:
        """Empties the outbox; what was in it is gone."""
        rows = await self.house.stores.outbox.pending(1_000)
        await self.house.stores.outbox.delivered([row.seq for row in rows])
        return ()


@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def audited(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Audited]:
    url = await postgresql.store_url(request.param, tmp_path, "token", SCHEMAS)
    async with house_in(tmp_path, url, clock) as house:
        yield Audited(house, url)


async def differences(comparison: Comparison) -> list[Difference]:
    return [difference async for difference in comparison(Compared())]


def kinds(found: Sequence[Difference]) -> list[str]:
    return [difference.kind.value for difference in found]
