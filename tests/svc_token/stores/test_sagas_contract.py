"""What every store of purchases promises."""

import asyncio
from collections.abc import Awaitable, Sequence
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


async def names(claimed: Awaitable[Sequence[Saga]]) -> list[str]:
    return [saga.id for saga in await claimed]


async def begun(stores: TokenStores, count: int) -> list[Saga]:
    """So many sagas that nobody holds, each touched later than the one before."""
    sagas = [
        replace(SAGA, id=f"s{number}", idempotency_key=None, updated_us=number)
        for number in range(count)
    ]
    for saga in sagas:
        await stores.sagas.start(saga, f"e-{saga.id}")
    return sagas


async def test_what_one_holds_no_other_claims_until_the_lease_ends(stores: TokenStores) -> None:
    await begun(stores, 3)
    claim = stores.sagas.claim
    assert await names(claim("one", 2, now_us=100, until_us=200)) == ["s0", "s1"]
    assert await names(claim("other", 9, now_us=199, until_us=300)) == ["s2"]
    assert await names(claim("other", 9, now_us=200, until_us=300)) == ["s0", "s1", "s2"]
    assert await names(claim("one", 9, now_us=299, until_us=400)) == []


async def test_what_one_gives_back_is_anybody_s_at_once(stores: TokenStores) -> None:
    await begun(stores, 3)
    done = replace(SAGA, id="s9", idempotency_key=None, step=Step.NONE, holder="one")
    await stores.sagas.start(done, "e-s9")
    claim = stores.sagas.claim
    [first, _] = await claim("one", 2, now_us=100, until_us=200)
    assert await names(claim("other", 1, now_us=101, until_us=200)) == ["s2"]
    for _ in range(2):
        await stores.sagas.give_back("one")
    # It may still be at a step of it.
    assert not await stores.sagas.move(first, MOVES[Step.AUTHORIZE], ["e"], 102)
    assert await stores.sagas.renew(first, 300) is None
    assert await names(claim("third", 9, now_us=103, until_us=200)) == ["s0", "s1"]
    assert await stores.sagas.find("s9") == done


async def test_a_holder_claims_its_own_again_page_by_page(stores: TokenStores) -> None:
    await begun(stores, 5)
    for _ in range(2):
        pages: list[list[str]] = []
        last: Saga | None = None
        while page := await stores.sagas.claim("one", 2, now_us=100, until_us=200, after=last):
            pages.append([saga.id for saga in page])
            last = page[-1]
        assert pages == [["s0", "s1"], ["s2", "s3"], ["s4"]]


async def test_each_claim_is_a_new_version_and_the_one_before_ends_no_step(
    stores: TokenStores,
) -> None:
    await begun(stores, 1)
    [late] = await stores.sagas.claim("one", 9, now_us=100, until_us=200)
    [now] = await stores.sagas.claim("other", 9, now_us=200, until_us=300)
    assert (late.version, now.version) == (1, 2)
    assert await stores.sagas.find("s0") == now
    move = MOVES[Step.AUTHORIZE]
    assert not await stores.sagas.move(late, move, ["e1"], 250)
    assert await stores.sagas.renew(late, 999) is None
    assert await stores.sagas.find("s0") == now
    assert await stores.sagas.move(now, move, ["e2"], 250)
    assert await stores.sagas.find("s0") == now.moved(move, 250)


async def test_a_late_holder_allocates_nothing(stores: TokenStores) -> None:
    await stores.sagas.start(replace(SAGA, step=Step.ALLOCATE), "e1")
    [late] = await stores.sagas.claim("one", 9, now_us=100, until_us=200)
    await stores.sagas.claim("other", 9, now_us=200, until_us=300)
    move = MOVES[Step.ALLOCATE]
    assert not await stores.sagas.allocate(
        late, move, ["a1"], allowance=30, window=WINDOW, now_us=250
    )
    assert await stores.pools.find(SAGA.pool) is None


async def test_a_lease_is_renewed_by_its_holder_without_a_new_version(stores: TokenStores) -> None:
    await begun(stores, 1)
    [held] = await stores.sagas.claim("one", 9, now_us=100, until_us=200)
    assert await stores.sagas.renew(held, 400) == replace(held, lease_until_us=400)
    assert await names(stores.sagas.claim("other", 9, now_us=399, until_us=500)) == []
    # The answer to a renewal may get lost; the step goes on with what it knows.
    assert await stores.sagas.move(held, MOVES[Step.AUTHORIZE], ["e2"], 150)


async def test_a_saga_begins_in_its_creator_s_hands_and_ends_in_nobody_s(
    stores: TokenStores,
) -> None:
    due = replace(SAGA, step=Step.COMPLETE, holder="one", lease_until_us=200)
    await stores.sagas.start(due, "e1")
    assert await names(stores.sagas.claim("other", 9, now_us=199, until_us=300)) == []
    [mine] = await stores.sagas.claim("one", 9, now_us=150, until_us=250)
    assert await stores.sagas.move(mine, MOVES[Step.COMPLETE], ["e2"], 160)
    ended = await stores.sagas.find("s1")
    assert ended is not None
    assert (ended.holder, ended.lease_until_us) == (None, 0)
    assert await names(stores.sagas.claim("one", 9, now_us=999, until_us=9999)) == []


async def test_many_claiming_at_once_share_them_out(stores: TokenStores) -> None:
    await begun(stores, 40)
    shares = await asyncio.gather(
        *(
            names(stores.sagas.claim(f"p{number}", 5, now_us=100, until_us=200))
            for number in range(12)
        )
    )
    claimed = [name for share in shares for name in share]
    assert len(claimed) == len(set(claimed))
    assert max(map(len, shares)) == 5


async def test_a_survey_counts_by_step_what_stands_still_and_the_first_lease(
    stores: TokenStores,
) -> None:
    empty = await stores.sagas.survey(0)
    assert (empty.steps, empty.stale, empty.lease_ends_us) == ({}, 0, None)
    for name, step, touched, lease in (
        ("s1", Step.AUTHORIZE, 10, 50),
        ("s2", Step.AUTHORIZE, 20, 40),
        ("s3", Step.CAPTURE, 30, 60),
        ("s4", Step.NONE, 5, 0),
    ):
        saga = replace(SAGA, id=name, idempotency_key=None, step=step, updated_us=touched)
        await stores.sagas.start(replace(saga, holder="p", lease_until_us=lease), f"e-{name}")
    survey = await stores.sagas.survey(21)
    assert survey.steps == {Step.AUTHORIZE: 2, Step.CAPTURE: 1}
    assert (survey.stale, survey.lease_ends_us) == (2, 40)
