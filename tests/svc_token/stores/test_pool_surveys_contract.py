"""Every store counts the pools that run low and those that gave too much, a stretch at a time."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from svc_token.domain.operations import Buy, Reserve, Settle
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import Pool
from svc_token.domain.survey import PoolSurvey
from svc_token.domain.window import Window
from svc_token.stores import SCHEMAS, TOKEN_STORES
from svc_token.stores.stores import TokenStores
from tests.parts import postgresql
from tests.parts.urls import POSTGRESQL, backends
from tests.svc_token.stores.conftest import TOPICS
from tests.svc_token.stores.test_ledger_contract import USER, used

pytestmark = pytest.mark.anyio
WINDOW = Window(5_000_000, 1_000_000)
NEXT = Window(6_000_000, 1_000_000)


def key(number: int, provider: str = "openai") -> PoolKey:
    return PoolKey(Owner(OwnerKind.ORG, f"8f0c8d9e-0000-4000-8000-{number:012}"), provider)


@dataclass
class Surveyed:
    """Stores, and a way past them to their tables."""

    stores: TokenStores
    url: str

    async def survey(
        self,
        after: PoolKey | None = None,
        limit: int = 100,
        *,
        window: Window = WINDOW,
        low_fraction: float = 0.1,
    ) -> PoolSurvey:
        return await self.stores.surveys.survey(
            after, limit, window=window, low_fraction=low_fraction
        )

    async def pool(self, pool: PoolKey, allowance: int = 1_000, *, used: int = 0) -> None:
        made = Pool(key=pool, window=WINDOW.id, allowance=allowance)
        assert await self.stores.pools.create(made)
        if used:
            await self.reserve(pool, used)

    async def reserve(self, pool: PoolKey, tokens: int, *, window: Window = WINDOW) -> str:
        id_ = f"{pool.provider} {pool.owner.id[-5:]} {tokens} {window.id}"
        operation = Reserve(
            id=id_,
            pool=pool,
            user_id=USER,
            tokens=tokens,
            allowance=None,
            window=window,
            now_us=7,
            expires_us=100,
        )
        await self.stores.ledger.submit(operation)
        return id_

    async def settle(self, pool: PoolKey, id_: str, tokens: int) -> None:
        event = replace(used(f"e {id_}", tokens), org_id=pool.owner.id)
        await self.stores.ledger.submit(
            Settle(id=id_, pool=pool, tokens=tokens, event=event, window=WINDOW, now_us=8)
        )

    async def buy(self, pool: PoolKey, tokens: int) -> None:
        await self.stores.ledger.submit(
            Buy(
                id=f"saga {pool.owner.id[-5:]}",
                pool=pool,
                user_id=USER,
                tokens=tokens,
                allowance=0,
                window=WINDOW,
                now_us=7,
            )
        )

    async def allow(self, pool: PoolKey, allowance: int) -> None:
        assert await self.stores.pools.set_allowance(pool, allowance, window=WINDOW, now_us=9)

    async def plant(self, statement: str) -> None:
        """Writes as nobody should."""
        if self.url.startswith("sqlite"):
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as connection:
                connection.execute(statement)
            connection.close()
        else:
            await postgresql.execute(self.url, statement)


@pytest.fixture(params=backends("sqlite", postgresql=POSTGRESQL))
async def surveyed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Surveyed]:
    url = await postgresql.store_url(request.param, tmp_path, "token", SCHEMAS)
    async with TOKEN_STORES.open(url, topics=TOPICS) as stores:
        yield Surveyed(stores, url)


async def test_without_pools_there_is_nothing(surveyed: Surveyed) -> None:
    assert await surveyed.survey() == PoolSurvey()


async def test_low_is_what_has_less_than_the_fraction_left(surveyed: Surveyed) -> None:
    await surveyed.pool(key(1), used=900)
    await surveyed.pool(key(2), used=901)
    await surveyed.pool(key(2, "qwen"), used=1_000)
    await surveyed.pool(key(3), used=950)
    await surveyed.pool(key(4), 0)
    assert await surveyed.survey() == PoolSurvey(low={"openai": 2, "qwen": 1})
    assert await surveyed.survey(low_fraction=0.0) == PoolSurvey()
    assert await surveyed.survey(low_fraction=1.0) == PoolSurvey(low={"openai": 3, "qwen": 1})


async def test_low_is_as_the_domain_has_it(surveyed: Surveyed) -> None:
    keys = [key(number) for number in range(6)]
    for each in keys:
        await surveyed.pool(each)
    await surveyed.buy(keys[0], 20_000)
    await surveyed.reserve(keys[0], 20_950)
    held = await surveyed.reserve(keys[1], 1_000)
    # More used than was held: a debt.
    await surveyed.settle(keys[1], held, 1_500)
    await surveyed.reserve(keys[2], 950)
    await surveyed.allow(keys[2], 400)
    await surveyed.reserve(keys[3], 950, window=NEXT)
    await surveyed.reserve(keys[4], 500)
    for window in (WINDOW, NEXT):
        found = [await surveyed.stores.pools.find(each) for each in keys]
        pools = [pool.renewed(window) for pool in found if pool]
        low = sum(pool.remaining < 0.1 * pool.total for pool in pools)
        assert (await surveyed.survey(window=window)).low == {"openai": low}
        # Also of the window after, in which most are whole again.
        assert low == {WINDOW: 4, NEXT: 2}[window]


async def test_a_stretch_ends_at_its_limit_and_the_next_one_goes_on(surveyed: Surveyed) -> None:
    for number in range(5):
        await surveyed.pool(key(number), used=950)
        await surveyed.pool(key(number, "qwen"))
    first = await surveyed.survey(None, 4)
    assert first == PoolSurvey(low={"openai": 2}, last=key(1, "qwen"))
    second = await surveyed.survey(first.last, 5)
    assert second == PoolSurvey(low={"openai": 3}, last=key(4))
    rest = await surveyed.survey(second.last, 5)
    assert rest == PoolSurvey()
    assert first.plus(second).plus(rest) == PoolSurvey(low={"openai": 5})
    # Where the limit falls onto the last pool, only the next one shows that it was.
    assert (await surveyed.survey(None, 10)).last == key(4, "qwen")
    assert await surveyed.survey(key(4, "qwen"), 10) == PoolSurvey()


async def test_what_the_domain_allows_is_never_an_overdraft(surveyed: Surveyed) -> None:
    await surveyed.pool(key(1), used=1_000)
    await surveyed.pool(key(2))
    held = await surveyed.reserve(key(2), 1_000)
    await surveyed.settle(key(2), held, 2_000)
    await surveyed.pool(key(3), used=900)
    await surveyed.allow(key(3), 600)
    await surveyed.allow(key(3), 100)
    await surveyed.buy(key(3), 50)
    await surveyed.reserve(key(3), 50)
    for window in (WINDOW, NEXT):
        assert (await surveyed.survey(window=window)).overdrawn == 0


async def test_more_used_than_there_ever_was_is_an_overdraft(surveyed: Surveyed) -> None:
    for number in range(4):
        await surveyed.pool(key(number), used=800)
    # A cut explains as much as it took away and no more.
    await surveyed.allow(key(2), 700)
    await surveyed.allow(key(3), 700)
    for number, tokens in ((1, 1_001), (2, 1_000), (3, 1_001)):
        owner = key(number).owner
        statement = f"UPDATE pools SET allowance_used = {tokens} WHERE owner = '{owner}'"  # noqa: S608
        await surveyed.plant(statement)
    assert (await surveyed.survey()).overdrawn == 2
    assert (await surveyed.survey(window=NEXT)).overdrawn == 2
    assert (await surveyed.survey(key(1))).overdrawn == 1
