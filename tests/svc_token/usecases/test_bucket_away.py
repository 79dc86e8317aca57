"""Spending while nobody knows how full the bucket is: no Redis listens at the address given."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from prometheus_client import REGISTRY

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError, CommitUnknownError
from mesh.identity.policy import LocalPolicy
from svc_token.domain.bucket import BucketRule, Decision, Taken
from svc_token.domain.spend import Spend
from svc_token.domain.spent import Spent
from svc_token.ports import Buckets
from svc_token.stores import BUCKETS
from svc_token.usecases.ask_bucket import AskBucket
from svc_token.usecases.rate_limits import GetRateLimit
from svc_token.usecases.reservations import BeginReservation, EndReservation, FindReservation
from tests.ports import free_port
from tests.svc_token.conftest import USER, House, principal, spend

pytestmark = pytest.mark.anyio


@dataclass
class LostAnswers:
    """The real buckets behind a line that loses what they answer."""

    inner: Buckets
    refunds: int = 0

    async def take(self, key: str, cost: int, rule: BucketRule) -> Decision:
        await self.inner.take(key, cost, rule)
        raise AppError(REASON_UNAVAILABLE, "the answer got lost", retry_after=1)

    async def refund(self, key: str, cost: int, rule: BucketRule, *, taken: Taken) -> None:
        self.refunds += 1
        await self.inner.refund(key, cost, rule, taken=taken)

    async def peek(self, key: str, rule: BucketRule) -> Decision:
        return await self.inner.peek(key, rule)


@pytest.fixture
async def away(house: House) -> AsyncIterator[Buckets]:
    address = f"redis://127.0.0.1:{free_port()}/0"
    async with BUCKETS.open(address, clock=house.clock, ttl_us=1_000_000) as buckets:
        yield buckets


def decided(decision: str) -> float:
    labels = {"store": "buckets", "decision": decision}
    return REGISTRY.get_sample_value("rate_limit_store_away_total", labels) or 0.0


async def consume(house: House, buckets: Buckets, what: Spend) -> Spent:
    asking = AskBucket(buckets=buckets, limits=house.limits, clock=house.clock)
    reserve = replace(house.reserve, ask_bucket=asking)
    return await replace(house.consume, reserve=reserve)(what, principal())


async def test_closed_nothing_is_spent_and_nothing_told(house: House, away: Buckets) -> None:
    before = decided("refused")
    with pytest.raises(AppError) as refused:
        await consume(house, away, spend(tokens=70))
    assert (refused.value.reason, refused.value.retry_after) == (REASON_UNAVAILABLE, 1)
    assert decided("refused") == before + 1
    assert await house.pool() is None
    assert house.providers.asked == []
    assert await house.told() == await house.denials() == []


async def test_open_pools_stay_exact_and_the_bucket_is_told_as_empty(
    house: House, away: Buckets
) -> None:
    house.apply(token_bucket_fail__open="true")
    before = decided("passed")
    spent = await consume(house, away, spend(tokens=70))
    assert decided("passed") == before + 1
    decision = spent.decision
    assert (decision.allowed, decision.taken, decision.wait_seconds) == (True, None, 0)
    assert (decision.capacity, decision.used, decision.remaining) == (1000, 0, 1000)
    assert await house.left() == 99_930
    assert [event["tokens"] for event in await house.told()] == [70]
    house.apply(token_bucket_fail__open="false")
    with pytest.raises(AppError):
        await consume(house, away, spend(tokens=70))
    assert await house.left() == 99_930


async def test_open_the_pool_still_refuses_and_failures_still_give_back(
    house: House, away: Buckets
) -> None:
    house.apply(token_bucket_fail__open="true", token_tiers_levels_USER_quota__max__tokens="100")
    with pytest.raises(AppError) as refused:
        await consume(house, away, spend(tokens=101))
    assert refused.value.outcome.name == "INSUFFICIENT_QUOTA"
    house.providers.fails = True
    with pytest.raises(AppError) as failed:
        await consume(house, away, spend(tokens=70))
    assert failed.value.outcome.name == "PROVIDER_CALL_FAILED"
    assert await house.left() == 100


@pytest.mark.parametrize("fail_open", ["false", "true"])
async def test_how_a_bucket_stands_is_not_made_up(
    house: House, away: Buckets, fail_open: str
) -> None:
    house.apply(token_bucket_fail__open=fail_open)
    ask = GetRateLimit(buckets=away, limits=house.limits, owner_roles=house.owner_roles)
    with pytest.raises(AppError) as refused:
        await ask(USER, "openai", principal())
    assert refused.value.outcome.http_status == 503


@pytest.mark.parametrize("fail_open", ["false", "true"])
async def test_a_lost_answer_leaves_the_bucket_stricter_never_looser(
    house: House, fail_open: str
) -> None:
    house.apply(token_bucket_fail__open=fail_open)
    house.providers.fails = True
    losing = LostAnswers(house.buckets)
    with pytest.raises(AppError):
        await consume(house, losing, spend(tokens=70))
    # Taken once, not tried again, and not given back: nobody knows that it was taken.
    assert (await house.used(), losing.refunds) == (70, 0)


async def test_a_hold_whose_commit_had_no_answer_is_counted_once_and_given_back_once(
    house: House,
) -> None:
    begin = BeginReservation(
        reserve=house.reserve,
        pools=house.stores.pools,
        limits=house.limits,
        finisher=house.finisher,
    )
    id_, asked = house.ids.new(), spend(tokens=50)
    house.ledger.lost["Reserve"] = 1
    with pytest.raises(CommitUnknownError):
        await begin(asked, principal(), id_=id_, ttl_us=60_000_000)
    assert await house.used() == 50
    # As the channel does of itself.
    await begin(asked, principal(), id_=id_, ttl_us=60_000_000)
    assert await house.used() == 50
    await begin(spend(tokens=30), principal(), id_=house.ids.new(), ttl_us=60_000_000)
    find = FindReservation(pools=house.stores.pools, visibility=LocalPolicy())
    end = EndReservation(
        find=find,
        hold_tokens=house.hold_tokens,
        ask_bucket=house.ask_bucket,
        owner_roles=house.owner_roles,
        limits=house.limits,
        finisher=house.finisher,
    )
    await end.release(id_, principal())
    assert await house.used() == 30
