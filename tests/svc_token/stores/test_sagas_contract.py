"""What every store of purchases promises."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from svc_token.domain.saga import MOVES, Saga, Status, Step
from svc_token.domain.window import Window
from svc_token.stores.stores import TokenStores

pytestmark = pytest.mark.anyio
WINDOW = Window(5, 1_000_000)
SAGA = Saga(
    id="s1",
    scope="u",
    user_id="u",
    org_id=None,
    provider="openai",
    tokens=70,
    idempotency_key="k",
    status=Status.STARTED,
    step=Step.AUTHORIZE,
    created_us=1,
    updated_us=1,
)


async def test_the_same_key_of_the_same_scope_is_the_first_saga(stores: TokenStores) -> None:
    assert await stores.sagas.start(SAGA, "e1") == SAGA
    assert (await stores.sagas.start(replace(SAGA, id="s2"), "e2")).id == "s1"
    assert (await stores.sagas.start(replace(SAGA, id="s3", scope="v"), "e3")).id == "s3"
    types = [orjson.loads(row.payload)["type"] for row in await stores.outbox.pending(9)]
    assert types == ["TOKEN_PURCHASE_STARTED"] * 2


async def test_sagas_without_a_key_are_all_their_own(stores: TokenStores) -> None:
    for name in ("s1", "s2"):
        wanted = replace(SAGA, id=name, idempotency_key=None)
        assert (await stores.sagas.start(wanted, f"e-{name}")).id == name


async def test_twenty_at_once_with_one_key_are_one_saga(stores: TokenStores) -> None:
    started = await asyncio.gather(
        *(stores.sagas.start(replace(SAGA, id=f"s{n}"), f"e{n}") for n in range(20))
    )
    assert len({saga.id for saga in started}) == 1
    assert await stores.outbox.depth() == 1


async def test_a_step_commits_only_on_the_version_that_it_read(stores: TokenStores) -> None:
    await stores.sagas.start(SAGA, "e1")
    move = MOVES[Step.AUTHORIZE]
    assert await stores.sagas.move(SAGA, move, ["e2"], 2)
    assert not await stores.sagas.move(SAGA, move, ["e3"], 3)
    found = await stores.sagas.find("s1")
    assert found is not None
    assert (found.status, found.step, found.version) == (
        Status.PAYMENT_RESERVED,
        Step.CAPTURE,
        1,
    )
    assert await stores.outbox.depth() == 2


async def test_tokens_are_allocated_once_however_often_it_is_tried(stores: TokenStores) -> None:
    due = replace(SAGA, step=Step.ALLOCATE)
    await stores.sagas.start(due, "e1")

    async def allocate(number: int) -> bool:
        return await stores.sagas.allocate(
            due, MOVES[Step.ALLOCATE], [f"a{number}"], allowance=30, window=WINDOW, now_us=4
        )

    assert sum(await asyncio.gather(*map(allocate, range(5)))) == 1
    pool = await stores.pools.find(SAGA.pool)
    assert pool is not None
    assert (pool.total, pool.purchased, pool.remaining) == (100, 70, 100)


async def test_unfinished_are_those_with_a_next_step(stores: TokenStores) -> None:
    await stores.sagas.start(SAGA, "e1")
    done = replace(SAGA, id="s2", idempotency_key=None, step=Step.NONE, status=Status.COMPLETED)
    await stores.sagas.start(done, "e2")
    assert [saga.id for saga in await stores.sagas.unfinished(10)] == ["s1"]
