"""Two instances of svc_token's stores on one database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import cycle

import pytest

from mesh.storage import asyncpg_engine
from mesh.storage.asyncpg_engine import Patience
from svc_token.domain.pool import Pool
from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.stores import TokenStores
from tests.parts.postgresql import migrated_database
from tests.svc_token.conftest import TOPICS
from tests.svc_token.stores.test_ledger_contract import ORG, WINDOW

# The two share a loop: what stops that for a moment keeps rows locked, and is no outage.
PATIENT = Patience(
    connect=60.0, connection=60.0, lock=60.0, statement=60.0, idle=120.0, answer=62.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """Two processes, as far as a database can tell."""

    url: str
    one: TokenStores
    other: TokenStores

    @property
    def both(self) -> tuple[TokenStores, TokenStores]:
        return self.one, self.other

    def turns(self) -> "cycle[TokenStores]":
        """One, the other, and so on."""
        return cycle(self.both)

    async def org_pool(self, allowance: int) -> None:
        """An organisation's pool with so many tokens."""
        pool = Pool(key=ORG, window=WINDOW.id, allowance=allowance)
        assert await self.one.pools.create(pool)

    async def remaining(self) -> int:
        """What the organisation has left."""
        pool = await self.other.pools.find(ORG)
        assert pool is not None
        return pool.remaining


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Two]:
    monkeypatch.setattr(asyncpg_engine, "PATIENCE", PATIENT)
    url = await migrated_database("token", SCHEMAS)
    async with (
        TOKEN_STORES.open(url, topics=TOPICS) as one,
        TOKEN_STORES.open(url, topics=TOPICS) as other,
    ):
        yield Two(url=url, one=one, other=other)
