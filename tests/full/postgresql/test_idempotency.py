"""A thousand keys with fifty duplicates at once each, over two instances on one database."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from mesh.errors import AppError
from mesh.finisher import Finisher
from mesh.settings import Live
from mesh.storage.postgresql import open_postgresql
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.settings import TokenSettings
from svc_token.usecases.purchases import CreatePurchase
from svc_token.usecases.quotas import CreateOrgQuota
from tests.full.postgresql.conftest import PATIENT, Two
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import HandClock, House, principal, spend
from tests.svc_token.shop import ORDER

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
KEYS = 1000
DUPLICATES = 50
# Far fewer than an instance has connections: it is keys that are tested, not queues. Both
# instances are one process here, and what keeps its loop busy keeps rows locked.
KEYS_AT_ONCE = 2


@dataclass
class Pair:
    """Two processes, as far as a database can tell."""

    url: str
    houses: list[House]
    replies: list[set[object]] = field(default_factory=list)

    async def row(self, statement: str) -> list[int]:
        async with open_postgresql(self.url, patience=PATIENT) as database:
            row = await database.query(lambda c: c.execute(sa.text(statement)).one())
        return list(row)

    async def send(self, ask: Callable[[House, int], Awaitable[object]]) -> float:
        """Each key's duplicates at once, half of them at each; the seconds that it took."""
        begun, free = time.monotonic(), asyncio.Semaphore(KEYS_AT_ONCE)

        async def key(number: int) -> set[object]:
            async with free:
                calls = [
                    answered(house, number, ask)
                    for house in self.houses
                    for _ in range(DUPLICATES // len(self.houses))
                ]
                return set(await asyncio.gather(*calls))

        self.replies = await asyncio.gather(*map(key, range(KEYS)))
        return time.monotonic() - begun


async def answered(
    house: House, number: int, ask: Callable[[House, int], Awaitable[object]]
) -> object:
    """The answer, for which a client whose time was up comes back."""
    while True:
        try:
            return await ask(house, number)
        except AppError as refused:
            if refused.outcome.name != "IDEMPOTENCY_KEY_IN_FLIGHT":
                raise


@pytest.fixture
async def pair(two: Two, tmp_path: Path) -> AsyncIterator[Pair]:
    env = {"LEAKY_DATA": str(tmp_path), "LEAKY_TOKEN_BUCKET_CAPACITY": "1000000"}
    settings, clock = Live.read(TokenSettings, env), HandClock()
    async with AsyncExitStack() as stack:
        finishers = [await stack.enter_async_context(Finisher().closing()) for _ in two.both]
        houses = [
            House(stores=stores, settings=settings, clock=clock, finisher=finisher)
            for stores, finisher in zip(two.both, finishers, strict=True)
        ]
        yield Pair(url=two.url, houses=houses)


def user(number: int) -> str:
    """Twenty keys a user."""
    return f"8f0c8d9e-0000-4000-8000-{number % 50:012d}"


def say(what: str, effects: int, pair: Pair, seconds: float) -> None:
    different = sum(len(replies) - 1 for replies in pair.replies)
    print(  # noqa: T201 for the closing figures
        f"\nidempotency {what}: keys={KEYS} duplicates={DUPLICATES} instances=2"
        f" effects={effects} different={different} seconds={seconds:.1f}"
    )


async def test_a_thousand_consumes_are_charged_once_each_and_answered_alike(pair: Pair) -> None:
    async def consume(house: House, number: int) -> bytes:
        what = spend(user_id=user(number), tokens=1 + number % 7)
        key = f"key-{number}"
        spent = await house.consume(what, principal(what.user_id), idempotency_key=key)
        return spent.kept()

    seconds = await pair.send(consume)
    charged = await pair.row(
        "SELECT count(*), coalesce(sum(tokens), 0), count(DISTINCT ref) FROM ledger"
        " WHERE kind = 'settle'"
    )
    say("consume", charged[0], pair, seconds)
    tokens = sum(1 + number % 7 for number in range(KEYS))
    assert charged == [KEYS, tokens, KEYS]
    assert await pair.row("SELECT sum(allowance_used), sum(purchased_used) FROM pools") == [
        tokens,
        0,
    ]
    assert await pair.row("SELECT count(*) FROM outbox") == [KEYS]
    assert sum(len(house.providers.asked) for house in pair.houses) == KEYS
    assert {len(replies) for replies in pair.replies} == {1}


async def test_a_thousand_pools_are_made_once_each_and_shown_alike(pair: Pair) -> None:
    creates = {
        id(house): CreateOrgQuota(
            pools=house.stores.pools, limits=house.limits, clock=house.clock, once=house.once
        )
        for house in pair.houses
    }

    async def create(house: House, number: int) -> object:
        org = f"8f0c8d9e-0000-4000-8000-{number:012d}"
        key = f"key-{number}"
        make = creates[id(house)]
        return await make(org, "openai", number, idempotency_key=key, principal=principal())

    seconds = await pair.send(create)
    made = await pair.row("SELECT count(*), sum(allowance), sum(seq) FROM pools")
    say("quota", made[0], pair, seconds)
    assert made == [KEYS, sum(range(KEYS)), KEYS]
    assert {len(replies) for replies in pair.replies} == {1}
    last = PoolKey(Owner(OwnerKind.ORG, f"8f0c8d9e-0000-4000-8000-{KEYS - 1:012d}"), "openai")
    assert await pair.houses[0].stores.pools.find(last) is not None


async def test_a_thousand_purchases_begin_once_each_and_are_answered_alike(pair: Pair) -> None:
    creates = {
        id(house): CreatePurchase(
            sagas=house.stores.sagas,
            limits=house.limits,
            clock=house.clock,
            ids=house.ids,
            wake=lambda: None,
        )
        for house in pair.houses
    }

    async def buy(house: House, number: int) -> object:
        order = replace(ORDER, user_id=user(number), idempotency_key=f"key-{number}")
        saga = await creates[id(house)](order, principal(order.user_id))
        return saga.id, saga.status, saga.created_us

    seconds = await pair.send(buy)
    begun = await pair.row("SELECT count(*), count(DISTINCT idempotency_key) FROM sagas")
    say("purchase", begun[0], pair, seconds)
    assert begun == [KEYS, KEYS]
    assert await pair.row("SELECT count(*) FROM outbox") == [KEYS]
    assert {len(replies) for replies in pair.replies} == {1}
