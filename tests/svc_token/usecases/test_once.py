"""One effect a key: for those who come together, later, after a refusal or after a crash."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import pytest

from leaky.common.v1.reason_pb2 import REASON_INSUFFICIENT_QUOTA, REASON_UNAVAILABLE
from leaky.token.v1 import consume_service_pb2
from mesh.errors import AppError
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import methods_of
from svc_token.domain.idempotency import Answer, Key, Operation, fingerprint_of
from svc_token.domain.operations import Emit
from svc_token.usecases.forget_answers import ForgetAnswers
from svc_token.usecases.once import Turn
from tests.svc_token.conftest import House
from tests.svc_token.stores.test_ledger_contract import used

pytestmark = pytest.mark.anyio
T = TypeVar("T")
KEY = Key(scope="u", operation=Operation.CONSUME, key="k")
BUY, SELL = fingerprint_of(do="buy", tokens=1), fingerprint_of(do="sell", tokens=1)


@dataclass
class Work:
    """An effect that the outbox tells of; may wait to be let go on, and fail then."""

    house: House
    gate: asyncio.Event | None = None
    error: Exception | None = None
    bound: bool = False
    begun: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, turn: Turn) -> bytes:
        self.begun.append(turn.id)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        turn.bound = self.bound
        if self.error is not None:
            raise self.error
        body = f"{turn.id} {len(self.begun)} {id(self)}".encode()
        event = used(self.house.ids.new(), 1)
        await self.house.stores.ledger.submit(Emit(event=event, answer=turn.answer(body)))
        return body


async def in_time(seconds: float, work: Callable[[], Awaitable[T]]) -> T:
    """The work, as a call that has so much time left."""
    service = consume_service_pb2.DESCRIPTOR.services_by_name["ConsumeService"]
    method = next(iter(methods_of(service)))
    deadline = asyncio.get_running_loop().time() + seconds
    before = CURRENT.set(Call(method=method, metadata={}, deadline=deadline))
    try:
        return await work()
    finally:
        CURRENT.reset(before)


async def named(work: Awaitable[bytes]) -> str:
    """The reason that it was refused for."""
    with pytest.raises(AppError) as refused:
        await work
    return refused.value.outcome.name


async def effects(house: House) -> int:
    return len(await house.told())


async def turned(house: House) -> None:
    """The lease of whoever is at it has ended."""
    house.clock.now += house.limits.claim_us


async def test_twenty_at_once_have_one_effect_and_one_answer(house: House) -> None:
    run, work = house.process(), Work(house)
    answers = await asyncio.gather(*(run(KEY, BUY, work) for _ in range(20)))
    assert len(set(answers)) == 1
    assert len(work.begun) == 1
    assert await effects(house) == 1


async def test_twenty_at_once_at_two_processes_have_one_effect_and_one_answer(
    house: House,
) -> None:
    runs, work = [house.process(), house.process()], Work(house)
    answers = await asyncio.gather(*(run(KEY, BUY, work) for _ in range(10) for run in runs))
    assert len(set(answers)) == 1
    assert await effects(house) == 1


async def test_a_later_request_has_the_first_one_s_answer(house: House) -> None:
    work = Work(house)
    first = await house.process()(KEY, BUY, work)
    house.clock.pass_seconds(24 * 3600 - 1)
    assert await house.process()(KEY, BUY, work) == first
    assert await effects(house) == 1


async def test_another_request_is_refused_during_the_first_and_after_it(house: House) -> None:
    run, work = house.process(), Work(house, gate=asyncio.Event())
    first = asyncio.ensure_future(run(KEY, BUY, work))
    await work.reached.wait()
    for process in (run, house.process()):
        assert await named(process(KEY, SELL, work)) == "IDEMPOTENCY_KEY_REUSED"
    assert work.gate is not None
    work.gate.set()
    await first
    for process in (run, house.process()):
        assert await named(process(KEY, SELL, work)) == "IDEMPOTENCY_KEY_REUSED"
    assert await effects(house) == 1


@pytest.mark.parametrize("error", [AppError(REASON_INSUFFICIENT_QUOTA, "none"), ValueError("bug")])
async def test_a_refusal_is_shared_by_those_who_wait_and_frees_the_key(
    house: House, error: Exception
) -> None:
    run, work = house.process(), Work(house, error=error)
    refusals = await asyncio.gather(
        *(run(KEY, BUY, work) for _ in range(20)), return_exceptions=True
    )
    assert refusals == [error] * 20
    assert len(work.begun) == 1
    work.error = None
    assert await run(KEY, SELL, work)
    assert await effects(house) == 1


async def test_after_a_refusal_elsewhere_who_waited_tries_itself(house: House) -> None:
    first = Work(house, gate=asyncio.Event(), error=AppError(REASON_INSUFFICIENT_QUOTA, "none"))
    there = asyncio.ensure_future(named(house.process()(KEY, BUY, first)))
    await first.reached.wait()
    second = Work(house)
    here = asyncio.ensure_future(house.process()(KEY, BUY, second))
    assert first.gate is not None
    first.gate.set()
    assert await there == "INSUFFICIENT_QUOTA"
    assert await here
    assert await effects(house) == 1


async def test_who_runs_out_of_time_first_learns_that_it_is_under_way(house: House) -> None:
    run, work = house.process(), Work(house, gate=asyncio.Event())
    first = asyncio.ensure_future(run(KEY, BUY, work))
    await work.reached.wait()
    for process in (run, house.process()):
        with pytest.raises(AppError) as refused:
            await in_time(0, partial(process, KEY, BUY, work))
        assert refused.value.outcome.name == "IDEMPOTENCY_KEY_IN_FLIGHT"
        assert (refused.value.outcome.http_status, refused.value.retry_after) == (409, 1)
    assert work.gate is not None
    work.gate.set()
    assert await run(KEY, BUY, work) == await first


async def test_who_has_more_time_waits_on_when_the_first_to_wait_gives_up(house: House) -> None:
    work = Work(house, gate=asyncio.Event())
    elsewhere = asyncio.ensure_future(house.process()(KEY, BUY, work))
    await work.reached.wait()
    run = house.process()
    hasty = asyncio.create_task(named(in_time(0, lambda: run(KEY, BUY, work))))
    patient = [asyncio.create_task(in_time(60, lambda: run(KEY, BUY, work))) for _ in range(5)]
    assert await hasty == "IDEMPOTENCY_KEY_IN_FLIGHT"
    assert work.gate is not None
    work.gate.set()
    assert set(await asyncio.gather(*patient)) == {await elsewhere}
    assert await effects(house) == 1


async def test_a_caller_who_goes_away_leaves_the_effect_to_those_who_come(house: House) -> None:
    run, work = house.process(), Work(house, gate=asyncio.Event())
    first = asyncio.ensure_future(run(KEY, BUY, work))
    await work.reached.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.ensure_future(run(KEY, BUY, work))
    assert work.gate is not None
    work.gate.set()
    assert await second
    assert len(work.begun) == 1


async def test_what_a_crash_left_is_done_under_the_same_id_when_its_lease_has_ended(
    house: House,
) -> None:
    crashed, work = Work(house, gate=asyncio.Event()), Work(house)
    gone = asyncio.ensure_future(house.process()(KEY, BUY, crashed))
    await crashed.reached.wait()
    waits = in_time(0, lambda: house.process()(KEY, BUY, work))
    assert await named(waits) == "IDEMPOTENCY_KEY_IN_FLIGHT"
    await turned(house)
    answer = await house.process()(KEY, BUY, work)
    assert work.begun == crashed.begun
    # It was only asleep.
    assert crashed.gate is not None
    crashed.gate.set()
    assert await gone == answer
    assert await effects(house) == 1


async def test_who_was_overtaken_and_fails_answers_with_the_other_s_success(
    house: House,
) -> None:
    slow = Work(house, gate=asyncio.Event(), error=AppError(REASON_INSUFFICIENT_QUOTA, "none"))
    first = asyncio.ensure_future(house.process()(KEY, BUY, slow))
    await slow.reached.wait()
    await turned(house)
    quick = Work(house, gate=asyncio.Event())
    second = asyncio.ensure_future(house.process()(KEY, BUY, quick))
    await quick.reached.wait()
    assert slow.gate is not None
    assert quick.gate is not None
    slow.gate.set()
    quick.gate.set()
    assert await first == await second
    assert await effects(house) == 1


async def test_what_may_have_happened_keeps_its_key(house: House) -> None:
    run = house.process()
    work = Work(house, error=AppError(REASON_UNAVAILABLE, "the store is away"), bound=True)
    assert await named(run(KEY, BUY, work)) == "UNAVAILABLE"
    waits = in_time(0, lambda: run(KEY, BUY, work))
    assert await named(waits) == "IDEMPOTENCY_KEY_IN_FLIGHT"
    # Its end may come late, and is the answer then.
    claim = await house.stores.keys.claim(KEY, BUY, id_="x", now_us=0, lease_until_us=1)
    answer = Answer(key=KEY, id=claim.id, body=b"late")
    await house.stores.ledger.submit(Emit(event=used("e", 1), answer=answer))
    assert await run(KEY, BUY, work) == b"late"


async def test_an_answer_is_forgotten_after_its_time_and_not_before(house: House) -> None:
    run, work = house.process(), Work(house)
    first = await run(KEY, BUY, work)
    forget = ForgetAnswers(keys=house.stores.keys, limits=house.limits, clock=house.clock)
    house.clock.pass_seconds(24 * 3600)
    assert await forget() is False
    assert await run(KEY, BUY, work) == first
    await turned(house)
    house.clock.now += 1
    assert await forget() is False
    assert await run(KEY, SELL, work) != first


def test_requests_that_mean_the_same_have_one_fingerprint() -> None:
    one = fingerprint_of(tokens=1, user_id="a", org_id=None)
    assert one == fingerprint_of(user_id="a", org_id=None, tokens=1)
    others = (
        fingerprint_of(tokens=1, user_id="a", org_id=""),
        fingerprint_of(tokens=1, user_id="a"),
        fingerprint_of(tokens="1", user_id="a", org_id=None),
        fingerprint_of(tokens=1, user_id="a\ud800", org_id=None),
    )
    assert len({one, *others}) == 5
