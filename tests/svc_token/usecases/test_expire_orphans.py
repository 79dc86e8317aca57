"""Holds that nobody came back for."""

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.operations import Operation, Release, Settle
from svc_token.domain.reservation import Reservation, State
from svc_token.ports import Ledger
from svc_token.usecases.expire_orphans import ExpireOrphans
from tests.svc_token.conftest import House, principal, spend

pytestmark = pytest.mark.anyio
NOBODY: frozenset[str] = frozenset()


def sweeper(house: House, ledger: Ledger | None = None) -> ExpireOrphans:
    return ExpireOrphans(
        pools=house.stores.pools,
        ledger=ledger or house.ledger,
        limits=house.limits,
        clock=house.clock,
    )


async def hold(house: House, tokens: int) -> str:
    held = await house.reserve(
        spend(tokens=tokens), principal(), id_=house.ids.new(), ttl_us=house.limits.hold_us
    )
    assert held.reservation is not None
    return held.reservation.id


async def test_a_hold_is_freed_when_its_time_is_up_and_not_before(house: House) -> None:
    await hold(house, 70)
    house.clock.pass_seconds(34)
    assert await sweeper(house)() == 0
    assert await house.left() == 99_930
    house.clock.now += 1
    assert await sweeper(house)() == 1
    assert await house.left() == 100_000
    assert await sweeper(house)() == 0
    assert await house.told() == []


async def test_a_settle_that_comes_after_the_sweeper_is_charged_once(house: House) -> None:
    held = await hold(house, 70)
    house.clock.pass_seconds(60)
    await sweeper(house)()
    for _ in range(2):
        await house.hold_tokens.settle(held, spend(tokens=70))
    assert await house.left() == 99_930
    assert len(await house.told()) == 1


class Racing:
    """Settles a hold in the moment before it would be expired."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def submit(self, operation: Operation) -> Reservation | None:
        assert isinstance(operation, Release)
        ended = await self.house.stores.ledger.submit(
            Settle(
                id=operation.id,
                pool=operation.pool,
                tokens=70,
                event=spend().event("e", 0),
                window=operation.window,
                now_us=operation.now_us,
            )
        )
        assert ended is not None
        assert ended.state is State.SETTLED
        return await self.house.stores.ledger.submit(operation)


async def test_what_was_settled_meanwhile_stays_settled(house: House) -> None:
    await hold(house, 70)
    house.clock.pass_seconds(60)
    await sweeper(house, Racing(house))()
    assert await house.left() == 99_930


class Refusing:
    """The real ledger, which chokes on one hold."""

    def __init__(self, house: House, bad: str) -> None:
        self.house, self.bad = house, bad

    async def submit(self, operation: Operation) -> Reservation | None:
        if isinstance(operation, Release) and operation.id == self.bad:
            raise AppError(REASON_UNAVAILABLE, "the database is away")
        return await self.house.stores.ledger.submit(operation)


async def test_one_that_cannot_be_freed_does_not_hold_up_the_others(house: House) -> None:
    bad, *_ = [await hold(house, 10) for _ in range(5)]
    house.clock.pass_seconds(60)
    with pytest.raises(AppError):
        await sweeper(house, Refusing(house, bad))()
    assert await house.left() == 99_990
    assert await sweeper(house)() == 1
    assert await house.left() == 100_000
