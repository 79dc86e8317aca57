"""Refused calls take nothing: bucket and pool are as they were, however many there are."""

import asyncio

import pytest

from leaky.common.v1 import reason_pb2
from mesh.errors import AppError
from svc_token.usecases.reserve import RateLimitedError
from tests.svc_token.conftest import House, principal, spend

pytestmark = pytest.mark.anyio
MANY = 200
STRATEGIES = ("LEAKY_BUCKET", "TOKEN_BUCKET", "FIXED_WINDOW")


async def refused(house: House, tokens: int, *, times: int = MANY) -> list[BaseException]:
    """What so many calls at once were answered; none was let through."""
    calls = (house.consume(spend(tokens=tokens), principal()) for _ in range(times))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refusals) == times
    return refusals


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_calls_that_are_too_many_leak_nothing(house: House, strategy: str) -> None:
    house.apply(token_bucket_strategy=strategy, token_bucket_capacity="100")
    await house.consume(spend(tokens=95), principal())
    before = await house.pool()
    for error in await refused(house, 6):
        assert isinstance(error, RateLimitedError)
    assert (await house.pool(), await house.used(), await house.held()) == (before, 95, 0)
    await house.consume(spend(tokens=5), principal())
    assert await house.left() == 100_000 - 100


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_calls_that_the_pool_cannot_pay_leak_nothing(house: House, strategy: str) -> None:
    # The bucket has room for two of them at a time: the others are refused by it.
    house.apply(
        token_bucket_strategy=strategy,
        token_bucket_capacity="100",
        token_tiers_levels_USER_quota__max__tokens="30",
    )
    await house.consume(spend(tokens=20), principal())
    before = await house.pool()
    unpaid = 0
    for error in await refused(house, 40):
        if isinstance(error, AppError):
            assert error.reason == reason_pb2.REASON_INSUFFICIENT_QUOTA
            unpaid += 1
        else:
            assert isinstance(error, RateLimitedError)
    assert unpaid >= 2
    assert (await house.pool(), await house.used(), await house.held()) == (before, 20, 0)
    await house.consume(spend(tokens=10), principal())
    assert (await house.left(), await house.used()) == (0, 30)


async def test_one_after_another_they_leak_nothing_either(house: House) -> None:
    house.apply(token_tiers_levels_USER_quota__max__tokens="10")
    for _ in range(MANY):
        await refused(house, 11, times=1)
    assert (await house.left(), await house.used(), await house.held()) == (10, 0, 0)
    assert [event["reason"] for event in await house.denials()] == ["INSUFFICIENT_QUOTA"] * MANY
