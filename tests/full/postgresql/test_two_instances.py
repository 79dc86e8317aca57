"""Balances stay exact when two instances write to one database at once."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from mesh.settings import Live
from svc_token.domain.operations import Operation, Release, Reserve
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.domain.pool import InsufficientTokensError
from svc_token.domain.reservation import Reservation, ReservationConflictError, State
from svc_token.limits import LiveLimits
from svc_token.settings import TokenSettings
from svc_token.stores.stores import TokenStores
from svc_token.usecases.expire_orphans import ExpireOrphans
from tests.full.postgresql.conftest import Two
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import HandClock
from tests.svc_token.stores.test_ledger_contract import ORG, WINDOW, reserve, settle

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
ROUNDS = 30


async def consume(stores: TokenStores, name: str, amounts: Sequence[int]) -> int:
    """What one consumer is granted that asks for these amounts, one after another."""
    granted = 0
    for turn, tokens in enumerate(amounts):
        try:
            await stores.ledger.submit(reserve(f"{name}-{turn}", tokens))
        except InsufficientTokensError:
            continue
        await stores.ledger.submit(settle(f"{name}-{turn}", tokens))
        granted += tokens
    return granted


async def granted(two: Two, amounts: Sequence[Sequence[int]]) -> int:
    """By both together, each serving half of the consumers."""
    consumers = [
        consume(stores, str(number), wanted)
        for number, (stores, wanted) in enumerate(zip(two.turns(), amounts, strict=False))
    ]
    return sum(await asyncio.gather(*consumers))


@pytest.mark.parametrize("tokens", [1, 7, 64])
async def test_64_consumers_get_exactly_what_the_pool_holds(two: Two, tokens: int) -> None:
    await two.org_pool(1000)
    got = await granted(two, [[tokens] * 40] * 64)
    assert got == 1000 - 1000 % tokens
    assert await two.remaining() == 1000 - got
    events = await two.one.outbox.pending(5000)
    assert sum(orjson.loads(row.payload)["tokens"] for row in events) == got


@pytest.mark.parametrize("seed", range(3))
async def test_64_consumers_of_mixed_amounts_get_no_token_twice(two: Two, seed: int) -> None:
    await two.org_pool(1000)
    choice = random.Random(seed)  # noqa: S311 no secret
    # The ones at the end take whatever small change the others leave.
    amounts = [[choice.randint(1, 30) for _ in range(10)] + [1] * 20 for _ in range(64)]
    assert await granted(two, amounts) == 1000
    assert await two.remaining() == 0


def personal(number: int, provider: str = "openai") -> PoolKey:
    return PoolKey(Owner(OwnerKind.USER, f"8f0c8d9e-0000-4000-8000-{number:012d}"), provider)


async def test_nobodys_call_fails_when_both_make_the_same_pools(two: Two) -> None:
    keys = [personal(number) for number in range(ROUNDS)]
    wanted = [
        stores.ledger.submit(reserve(f"{name}-{number}", 3, key=key, allowance=100))
        for number, key in enumerate(keys)
        for name, stores in zip("ab", two.both, strict=True)
    ]
    answers = await asyncio.gather(*wanted)
    assert all(answer is not None and answer.state is State.RESERVED for answer in answers)
    pools = await asyncio.gather(*(two.one.pools.find(key) for key in keys))
    assert [pool.remaining for pool in pools if pool] == [94] * ROUNDS


async def outcomes(two: Two, of_one: Sequence[Operation], of_other: Sequence[Operation]) -> Any:
    """What each got; both begin at once."""
    submitted = [
        stores.ledger.submit(operation)
        for pair in zip(of_one, of_other, strict=True)
        for stores, operation in zip(two.both, pair, strict=True)
    ]
    results = await asyncio.gather(*submitted, return_exceptions=True)
    return list(zip(results[::2], results[1::2], strict=True))


async def test_one_id_at_both_is_one_hold(two: Two) -> None:
    await two.org_pool(1000)
    same = [reserve(f"r{number}", 3) for number in range(ROUNDS)]
    for first, second in await outcomes(two, same, same):
        assert isinstance(first, Reservation)
        assert first == second
    assert await two.remaining() == 1000 - 3 * ROUNDS


async def test_one_id_for_two_pools_is_a_conflict_for_one_of_them(two: Two) -> None:
    owner = personal(1).owner
    wanted: list[list[Reserve]] = [
        [
            reserve(f"r{number}", 3, key=PoolKey(owner, provider), allowance=1000)
            for number in range(ROUNDS)
        ]
        for provider in ("openai", "gemini")
    ]
    # In opposite orders, so that their rows meet crosswise.
    results = await outcomes(two, wanted[0], wanted[1][::-1])
    ones, others = zip(*results, strict=True)
    for first, second in zip(ones, reversed(others), strict=True):
        kinds = {type(first), type(second)}
        assert kinds == {Reservation, ReservationConflictError}
    pools = [await two.one.pools.find(PoolKey(owner, name)) for name in ("openai", "gemini")]
    assert sum(pool.total - pool.remaining for pool in pools if pool) == 3 * ROUNDS


async def test_one_hold_ends_once_wherever_it_is_ended(two: Two) -> None:
    await two.org_pool(1000)
    names = [f"r{number}" for number in range(ROUNDS)]
    await asyncio.gather(*(two.one.ledger.submit(reserve(name, 3)) for name in names))
    settles = [settle(name, 2) for name in names]
    releases = [Release(id=name, pool=ORG, window=WINDOW, now_us=9) for name in names]
    results = await outcomes(two, settles, releases)
    charged = sum(isinstance(settled, Reservation) for settled, _ in results)
    freed = sum(isinstance(released, Reservation) for _, released in results)
    assert charged + freed == ROUNDS
    assert await two.remaining() == 1000 - 2 * charged
    assert await two.one.outbox.depth() == charged


async def test_sweepers_of_both_free_a_forgotten_hold_once(two: Two, tmp_path: Path) -> None:
    limits = LiveLimits(Live.read(TokenSettings, {"LEAKY_DATA": str(tmp_path)}))
    clock = HandClock()
    window = limits.window(clock.now)
    keys = [personal(number) for number in range(ROUNDS)]
    for key in keys:
        forgotten = reserve("forgotten", 3, key=key, allowance=100)
        await two.one.ledger.submit(replace(forgotten, window=window))
    sweepers = [
        ExpireOrphans(pools=stores.pools, ledger=stores.ledger, limits=limits, clock=clock)
        for stores in two.both
    ]
    await asyncio.gather(*(sweep() for sweep in sweepers * 3))
    assert await two.other.pools.orphans(2**62, 10) == []
    pools = await asyncio.gather(*(two.one.pools.find(key) for key in keys))
    assert [(pool.window, pool.allowance_used) for pool in pools if pool] == [
        (window.id, 0)
    ] * ROUNDS


async def test_an_administrators_change_is_not_lost_between_charges(two: Two) -> None:
    await two.org_pool(1000)
    names = [f"r{number}" for number in range(ROUNDS)]

    async def charge(name: str) -> None:
        await two.one.ledger.submit(reserve(name, 3))
        await two.one.ledger.submit(settle(name, 3))

    changes = (
        two.other.pools.set_allowance(ORG, allowance, window=WINDOW, now_us=1)
        for allowance in range(1001, 1001 + ROUNDS)
    )
    await asyncio.gather(*map(charge, names), *changes)
    pool = await two.one.pools.find(ORG)
    assert pool is not None
    assert pool.allowance in range(1001, 1001 + ROUNDS)
    assert pool.remaining == pool.allowance - 3 * ROUNDS
