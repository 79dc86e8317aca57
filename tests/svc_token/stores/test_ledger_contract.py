"""What every store of balances promises."""

import asyncio

import orjson
import pytest

from svc_token.domain.events import UsageEvent
from svc_token.domain.operations import Emit, Operation, Release, Reserve, Settle
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import InsufficientTokensError, Pool
from svc_token.domain.reservation import (
    ReservationConflictError,
    ReservationNotFoundError,
    State,
)
from svc_token.domain.window import Window
from svc_token.stores.stores import TokenStores

pytestmark = pytest.mark.anyio
ORG = PoolKey(Owner(OwnerKind.ORG, "8f0c8d9e-0000-4000-8000-000000000001"), "openai")
USER = "8f0c8d9e-0000-4000-8000-0000000000aa"
WINDOW = Window(5, 1_000_000)


def reserve(name: str, tokens: int, *, key: PoolKey = ORG, allowance: int | None = None) -> Reserve:
    return Reserve(
        id=name,
        pool=key,
        user_id=USER,
        tokens=tokens,
        allowance=allowance,
        window=WINDOW,
        now_us=7,
        expires_us=100,
    )


def settle(name: str, tokens: int) -> Settle:
    return Settle(
        id=name, pool=ORG, tokens=tokens, event=used(f"e-{name}", tokens), window=WINDOW, now_us=8
    )


def release(name: str) -> Release:
    return Release(id=name, pool=ORG, window=WINDOW, now_us=9)


def used(event_id: str, tokens: int) -> UsageEvent:
    return UsageEvent(
        event_id=event_id,
        user_id=USER,
        org_id=ORG.owner.id,
        provider="openai",
        tokens=tokens,
        allowed=True,
        reason="",
        at_us=1_700_000_000_123_456,
    )


async def org_pool(stores: TokenStores, allowance: int) -> None:
    assert await stores.pools.create(Pool(key=ORG, window=WINDOW.id, allowance=allowance))


async def remaining(stores: TokenStores) -> int:
    pool = await stores.pools.find(ORG)
    assert pool is not None
    return pool.remaining


async def test_what_is_reserved_is_gone_and_what_is_released_is_back(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    held = await stores.ledger.submit(reserve("a", 60))
    assert held is not None
    assert held.state is State.RESERVED
    assert await remaining(stores) == 40
    await stores.ledger.submit(release("a"))
    assert await remaining(stores) == 100


async def test_settling_charges_exactly_and_emits_its_event_once(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    await stores.ledger.submit(reserve("a", 60))
    await stores.ledger.submit(settle("a", 50))
    await stores.ledger.submit(settle("a", 50))
    assert await remaining(stores) == 50
    rows = await stores.outbox.pending(10)
    assert [orjson.loads(row.payload) for row in rows] == [
        {
            "eventId": "e-a",
            "userId": USER,
            "orgId": ORG.owner.id,
            "provider": "openai",
            "tokens": 50,
            "allowed": True,
            "reason": "",
            "timestamp": "2023-11-14T22:13:20.123456Z",
            "schemaVersion": 1,
        }
    ]
    assert rows[0].topic == "token-usage"
    assert rows[0].key == str(ORG.owner)


async def test_a_refused_reservation_changes_nothing(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    with pytest.raises(InsufficientTokensError):
        await stores.ledger.submit(reserve("a", 101))
    assert await remaining(stores) == 100
    with pytest.raises(ReservationNotFoundError):
        await stores.ledger.submit(settle("a", 1))


async def test_an_id_is_answered_again_for_the_same_content_and_refused_for_other(
    stores: TokenStores,
) -> None:
    await org_pool(stores, 100)
    first = await stores.ledger.submit(reserve("a", 10))
    assert await stores.ledger.submit(reserve("a", 10)) == first
    with pytest.raises(ReservationConflictError):
        await stores.ledger.submit(reserve("a", 11))
    assert await remaining(stores) == 90


async def test_a_settled_reservation_cannot_be_released(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    await stores.ledger.submit(reserve("a", 10))
    await stores.ledger.submit(settle("a", 10))
    with pytest.raises(ReservationConflictError):
        await stores.ledger.submit(release("a"))


async def test_a_hold_of_another_pool_is_a_conflict_and_harms_nobody_beside_it(
    stores: TokenStores,
) -> None:
    await org_pool(stores, 100)
    other = PoolKey(ORG.owner, "gemini")
    await stores.ledger.submit(reserve("a", 10))
    results = await asyncio.gather(
        stores.ledger.submit(reserve("b", 1)),
        stores.ledger.submit(Release(id="a", pool=other, window=WINDOW, now_us=9)),
        stores.ledger.submit(reserve("c", 1)),
        return_exceptions=True,
    )
    assert isinstance(results[1], ReservationConflictError)
    assert await remaining(stores) == 88


async def test_a_personal_pool_is_made_by_its_first_reservation(stores: TokenStores) -> None:
    key = PoolKey(Owner(OwnerKind.USER, USER), "qwen")
    await stores.ledger.submit(reserve("a", 10, key=key, allowance=500))
    pool = await stores.pools.find(key)
    assert pool is not None
    assert (pool.total, pool.remaining) == (500, 490)


async def test_an_organisation_without_a_pool_has_nothing_to_spend(stores: TokenStores) -> None:
    with pytest.raises(InsufficientTokensError):
        await stores.ledger.submit(reserve("a", 1))


@pytest.mark.parametrize("tokens", [1, 7, 64])
async def test_64_at_once_are_granted_exactly_what_the_pool_holds(
    stores: TokenStores, tokens: int
) -> None:
    await org_pool(stores, 1000)

    async def consumer(number: int) -> int:
        granted = 0
        for turn in range(40):
            try:
                await stores.ledger.submit(reserve(f"{number}-{turn}", tokens))
            except InsufficientTokensError:
                continue
            await stores.ledger.submit(settle(f"{number}-{turn}", tokens))
            granted += tokens
        return granted

    granted = sum(await asyncio.gather(*(consumer(number) for number in range(64))))
    assert granted == 1000 - 1000 % tokens
    assert await remaining(stores) == 1000 - granted
    events = await stores.outbox.pending(5000)
    assert sum(orjson.loads(row.payload)["tokens"] for row in events) == granted


async def test_one_bad_operation_of_a_batch_fails_alone(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    operations: list[Operation] = [
        reserve("a", 10),
        reserve("b", 20),
        settle("a", -1),
        reserve("c", 200),
        settle("b", 20),
    ]
    # The first goes alone; the rest wait for it and so are one batch.
    results = await asyncio.gather(
        *(stores.ledger.submit(operation) for operation in operations), return_exceptions=True
    )
    assert [type(result).__name__ for result in results] == [
        "Reservation",
        "Reservation",
        "IntegrityError",
        "InsufficientTokensError",
        "Reservation",
    ]
    assert await remaining(stores) == 70
    assert await stores.outbox.depth() == 1


async def test_an_event_that_was_told_already_is_told_once(stores: TokenStores) -> None:
    await asyncio.gather(*(stores.ledger.submit(Emit(event=used("same", 1))) for _ in range(5)))
    await stores.ledger.submit(Emit(event=used("same", 1)))
    assert await stores.outbox.depth() == 1


async def test_orphans_are_those_whose_time_is_up(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    await stores.ledger.submit(reserve("a", 10))
    await stores.ledger.submit(reserve("b", 10))
    await stores.ledger.submit(settle("b", 10))
    assert await stores.pools.orphans(100, 10) == []
    assert [orphan.id for orphan in await stores.pools.orphans(101, 10)] == ["a"]


async def test_a_second_pool_of_an_owner_at_a_provider_is_refused(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    assert not await stores.pools.create(Pool(key=ORG, window=WINDOW.id, allowance=7))
    assert await remaining(stores) == 100


async def test_a_changed_allowance_keeps_what_was_used(stores: TokenStores) -> None:
    await org_pool(stores, 100)
    await stores.ledger.submit(reserve("a", 60))
    pool = await stores.pools.set_allowance(ORG, 50, window=WINDOW, now_us=1)
    assert pool is not None
    assert pool.remaining == 0
    await stores.ledger.submit(release("a"))
    assert await remaining(stores) == 50
    other = PoolKey(ORG.owner, "gemini")
    assert await stores.pools.set_allowance(other, 50, window=WINDOW, now_us=1) is None
