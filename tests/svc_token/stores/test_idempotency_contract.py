"""What every store of idempotency keys promises, and every effect that keeps an answer."""

import asyncio
from dataclasses import replace

import pytest

from svc_token.domain.idempotency import Answer, Claim, ClaimLostError, Key, Operation
from svc_token.domain.operations import Emit
from svc_token.domain.pool import Pool
from svc_token.stores.stores import TokenStores
from tests.svc_token.stores.test_ledger_contract import (
    ORG,
    WINDOW,
    org_pool,
    remaining,
    reserve,
    settle,
    used,
)

pytestmark = pytest.mark.anyio
KEY = Key(scope="u", operation=Operation.CONSUME, key="k")
BUY, SELL = b"buy", b"sell"
LEASE = 10


async def claim(
    stores: TokenStores, id_: str, *, key: Key = KEY, of: bytes = BUY, now: int = 100
) -> Claim:
    return await stores.keys.claim(key, of, id_=id_, now_us=now, lease_until_us=now + LEASE)


def answer(to: Claim, body: bytes = b"done") -> Answer:
    return Answer(key=to.key, id=to.id, body=body)


async def emit(stores: TokenStores, to: Claim, event_id: str = "e1", body: bytes = b"done") -> None:
    await stores.ledger.submit(Emit(event=used(event_id, 1), answer=answer(to, body)))


async def told(stores: TokenStores) -> list[str]:
    return [row.event_id for row in await stores.outbox.pending(100)]


async def test_the_first_asker_has_the_key_and_the_next_learns_of_it(stores: TokenStores) -> None:
    first = await claim(stores, "a")
    assert (first.mine, first.id, first.answer) == (True, "a", None)
    second = await claim(stores, "b", of=SELL)
    assert (second.mine, second.id, second.fingerprint) == (False, "a", BUY)


async def test_of_many_at_once_one_has_the_key(stores: TokenStores) -> None:
    claims = await asyncio.gather(*(claim(stores, f"c{n}") for n in range(50)))
    assert sum(one.mine for one in claims) == 1
    assert len({one.id for one in claims}) == 1


async def test_a_key_is_its_scope_s_and_its_operation_s_own(stores: TokenStores) -> None:
    others = (
        replace(KEY, scope="v"),
        replace(KEY, operation=Operation.CREATE_ORG_QUOTA),
        replace(KEY, key="K"),
    )
    for number, key in enumerate((KEY, *others)):
        assert (await claim(stores, f"c{number}", key=key)).mine


async def test_a_claim_whose_answer_was_lost_may_be_made_again(stores: TokenStores) -> None:
    assert await claim(stores, "a") == await claim(stores, "a")


async def test_what_was_left_behind_is_taken_over_with_the_same_id(stores: TokenStores) -> None:
    await claim(stores, "a")
    assert not (await claim(stores, "b", now=100 + LEASE - 1)).mine
    over = await claim(stores, "c", now=100 + LEASE)
    assert (over.mine, over.id, over.lease_until_us) == (True, "a", 100 + 2 * LEASE)
    assert not (await claim(stores, "d", now=100 + LEASE)).mine


async def test_of_many_at_once_one_takes_over(stores: TokenStores) -> None:
    await claim(stores, "a")
    claims = await asyncio.gather(*(claim(stores, f"c{n}", now=200) for n in range(50)))
    assert sum(one.mine for one in claims) == 1


async def test_another_request_takes_nothing_over(stores: TokenStores) -> None:
    await claim(stores, "a")
    other = await claim(stores, "b", of=SELL, now=200)
    assert (other.mine, other.fingerprint) == (False, BUY)


async def test_an_answer_is_kept_with_its_effect_and_for_good(stores: TokenStores) -> None:
    await emit(stores, await claim(stores, "a"), body=b"\x00one\xff")
    for now in (101, 10_000_000):
        again = await claim(stores, "b", now=now)
        assert (again.mine, again.answer) == (False, b"\x00one\xff")


async def test_a_settled_hold_keeps_the_answer_and_charges_once(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    mine = await claim(stores, "a")
    await stores.ledger.submit(reserve("a", 60))
    charged = await stores.ledger.submit(replace(settle("a", 60), answer=answer(mine, b"1")))
    again = await stores.ledger.submit(replace(settle("a", 60), answer=answer(mine, b"2")))
    assert charged is not None
    assert again is not None
    assert (charged.repeated, again.repeated) == (False, True)
    assert await remaining(stores) == 40
    assert (await claim(stores, "b")).answer == b"1"


async def test_a_new_pool_keeps_the_answer(stores: TokenStores) -> None:
    mine = await claim(stores, "a")
    assert await stores.pools.create(Pool(key=ORG, window=5, allowance=1), answer=answer(mine))
    assert (await claim(stores, "b")).answer == b"done"


async def test_who_has_lost_the_key_changes_nothing(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    first = await claim(stores, "a")
    await stores.ledger.submit(reserve("a", 60))
    assert await stores.keys.drop(first)
    pool = Pool(key=ORG._replace(provider="qwen"), window=WINDOW.id, allowance=1)
    for again in (False, True):
        if again:
            assert (await claim(stores, "b")).mine
        with pytest.raises(ClaimLostError):
            await stores.ledger.submit(replace(settle("a", 60), answer=answer(first)))
        with pytest.raises(ClaimLostError):
            await emit(stores, first)
        with pytest.raises(ClaimLostError):
            await stores.pools.create(pool, answer=answer(first))
    assert await remaining(stores) == 40
    assert await told(stores) == []
    assert await stores.pools.find(pool.key) is None


async def test_of_two_with_the_same_claim_one_keeps_its_answer(stores: TokenStores) -> None:
    first = await claim(stores, "a")
    second = await claim(stores, "b", now=200)
    results = await asyncio.gather(
        emit(stores, first, "e1", b"1"), emit(stores, second, "e2", b"2"), return_exceptions=True
    )
    assert [type(result) for result in results if result] == [ClaimLostError]
    assert len(await told(stores)) == 1
    assert (await claim(stores, "c")).answer in {b"1", b"2"}


async def test_a_refusal_of_one_leaves_the_others_of_its_batch(stores: TokenStores) -> None:
    keys = [replace(KEY, key=f"k{number}") for number in range(20)]
    claims = [await claim(stores, f"a{number}", key=key) for number, key in enumerate(keys)]
    for lost in claims[::2]:
        await stores.keys.drop(lost)
    emitted = (emit(stores, one, f"e-{one.id}") for one in claims)
    results = await asyncio.gather(*emitted, return_exceptions=True)
    assert [type(result) for result in results[::2]] == [ClaimLostError] * 10
    assert results[1::2] == [None] * 10
    assert len(await told(stores)) == 10


async def test_a_key_that_is_let_go_is_anybody_s(stores: TokenStores) -> None:
    mine = await claim(stores, "a")
    assert await stores.keys.drop(mine)
    again = await claim(stores, "b", of=SELL)
    assert (again.mine, again.id) == (True, "b")


async def test_who_does_not_know_whether_a_key_is_let_go_asks_again(stores: TokenStores) -> None:
    mine = await claim(stores, "a")
    assert await stores.keys.drop(mine)
    assert await stores.keys.drop(mine)
    other = await claim(stores, "b", of=SELL)
    # The key is another's, what was claimed is nobody's.
    assert await stores.keys.drop(mine)
    again = await claim(stores, "c", of=SELL)
    assert (again.mine, again.id) == (False, other.id)


async def test_the_same_drop_twice_at_once_is_one(stores: TokenStores) -> None:
    mine = await claim(stores, "a")
    assert await asyncio.gather(*(stores.keys.drop(mine) for _ in range(5))) == [True] * 5


async def test_when_who_took_over_has_dropped_it_nobody_has_it(stores: TokenStores) -> None:
    first = await claim(stores, "a")
    second = await claim(stores, "b", now=200)
    assert not await stores.keys.drop(first)
    assert await stores.keys.drop(second)
    assert await stores.keys.drop(first)


async def test_what_another_has_taken_over_or_answered_is_not_let_go(stores: TokenStores) -> None:
    first = await claim(stores, "a")
    second = await claim(stores, "b", now=200)
    assert not await stores.keys.drop(first)
    await emit(stores, second)
    assert not await stores.keys.drop(second)
    assert (await claim(stores, "c")).answer == b"done"


async def test_claims_and_drops_at_once_leave_one_holder_at_most(stores: TokenStores) -> None:
    async def come_and_go(name: str) -> int:
        had = 0
        for turn in range(10):
            mine = await claim(stores, f"{name}-{turn}")
            if mine.mine:
                had += 1
                assert await stores.keys.drop(mine)
        return had

    had = await asyncio.gather(*(come_and_go(f"c{number}") for number in range(8)))
    assert sum(had) > 0
    assert (await claim(stores, "end")).mine


async def test_keys_are_forgotten_when_their_time_is_up_and_not_earlier(
    stores: TokenStores,
) -> None:
    keys = [replace(KEY, key=f"k{number}") for number in range(5)]
    for number, key in enumerate(keys):
        mine = await claim(stores, f"a{number}", key=key, now=100 + number)
        if number < 3:
            await emit(stores, mine, f"e{number}")
    # Of the oldest too somebody may still be at it.
    late = replace(KEY, key="late")
    await stores.keys.claim(late, BUY, id_="late", now_us=1, lease_until_us=900)
    assert await stores.keys.prune(100 + LEASE, 100) == 0
    assert await stores.keys.prune(103 + LEASE, 2) == 2
    assert await stores.keys.prune(103 + LEASE, 2) == 1
    assert await stores.keys.prune(103 + LEASE, 2) == 0
    again = [await claim(stores, f"b{n}", key=key, now=104) for n, key in enumerate(keys)]
    assert [one.mine for one in again] == [True] * 3 + [False] * 2
    assert not (await claim(stores, "b", key=late, now=104)).mine
