"""Unenforced uses while the store is away: told when it is back, and no more wait than a bound."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from leaky.token.v1 import consume_service_pb2
from mesh.errors import AppError
from mesh.finisher import Finisher
from mesh.rpc.call import CURRENT, Call
from mesh.rpc.method import methods_of
from svc_token.domain.operations import Emit, Operation
from svc_token.domain.reservation import Reservation
from svc_token.usecases.tell_later import AT_ONCE, TellLater
from tests.svc_token.conftest import HandClock, House, principal, spend

pytestmark = pytest.mark.anyio
CONSUMES = consume_service_pb2.DESCRIPTOR.services_by_name["ConsumeService"]
DROPPED = "token_unenforced_events_dropped_total"
WAITING = "token_unenforced_events_waiting"


def sample(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


@contextmanager
def no_time_left() -> Iterator[None]:
    """A call that has one try and no more."""
    token = CURRENT.set(Call(method=next(iter(methods_of(CONSUMES))), metadata={}, deadline=0))
    try:
        yield
    finally:
        CURRENT.reset(token)


def emit(number: int) -> Emit:
    return Emit(event=spend(tokens=1 + number).event(f"e{number}", 1))


@dataclass
class Away:
    """A ledger that is away, but for whom it refuses as it should not; it counts who asks."""

    broken: set[str] = field(default_factory=set)
    asking: set[str] = field(default_factory=set)
    back: bool = False
    told: list[str] = field(default_factory=list)

    async def submit(self, operation: Operation) -> Reservation | None:
        assert isinstance(operation, Emit)
        self.asking.add(operation.event.event_id)
        if operation.event.event_id in self.broken:
            raise RuntimeError("a row that no table takes")
        if not self.back:
            raise AppError(REASON_UNAVAILABLE, "the database is away")
        self.told.append(operation.event.event_id)
        return None


async def test_what_is_consumed_meanwhile_is_bounded_and_told_once_the_store_is_back(
    house: House,
) -> None:
    house.apply(
        token_bucket_capacity="100000", feature_flags_token__service_quota__enforcement="false"
    )
    house.ledger.cut = {"Emit": 1_000_000}
    dropped, most = sample(DROPPED), house.tell_later.most
    with capture_logs() as logs, no_time_left():
        for number in range(most + 25):
            with pytest.raises(AppError) as refused:
                await house.consume(spend(tokens=1 + number), principal())
            assert refused.value.outcome.http_status == 503
        assert len(house.finisher._unwaited) == 1
        assert (sample(DROPPED) - dropped, sample(WAITING)) == (25, most)
        # A line a minute, whatever happens.
        assert [log["event"] for log in logs if log["log_level"] == "error"] == [
            "events of unenforced uses are dropped"
        ]
        house.clock.pass_seconds(60)
        with pytest.raises(AppError):
            await house.consume(spend(tokens=1), principal())
        assert logs[-1]["count"] == 25
    house.ledger.cut = {}
    async with house.finisher.closing():
        pass
    assert sorted(event["tokens"] for event in await house.told()) == list(range(1, most + 1))
    assert (sample(DROPPED) - dropped, sample(WAITING)) == (26, 0)


async def test_few_ask_a_store_that_is_away_and_those_that_come_later_are_told_too(
    clock: HandClock,
) -> None:
    ledger = Away(broken={"e3"})
    dropped = sample(DROPPED)
    async with Finisher().closing() as finisher:
        tell_later = TellLater(ledger=ledger, clock=clock, finisher=finisher)
        for number in range(3 * AT_ONCE):
            tell_later(emit(number))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(ledger.asking) == AT_ONCE
        ledger.back = True
        tell_later(emit(3 * AT_ONCE))
    # One that never goes holds nobody up.
    assert set(ledger.told) == {f"e{number}" for number in range(3 * AT_ONCE + 1)} - {"e3"}
    assert len(ledger.told) == 3 * AT_ONCE
    assert (sample(DROPPED) - dropped, sample(WAITING)) == (1, 0)


async def test_what_still_waits_at_the_end_is_counted_as_dropped(clock: HandClock) -> None:
    dropped = sample(DROPPED)
    with capture_logs() as logs:
        async with Finisher(grace=0).closing() as finisher:
            tell_later = TellLater(ledger=Away(), clock=clock, finisher=finisher)
            for number in range(5):
                tell_later(emit(number))
            await asyncio.sleep(0)
    assert (sample(DROPPED) - dropped, sample(WAITING)) == (5, 0)
    assert ("the process ends", 5) in [(log.get("why"), log.get("count")) for log in logs]


async def test_of_those_that_were_tried_at_the_end_what_was_told_is_not_dropped(
    clock: HandClock,
) -> None:
    class Stuck(Away):
        async def submit(self, operation: Operation) -> Reservation | None:
            if isinstance(operation, Emit) and operation.event.event_id == "e1":
                await asyncio.Event().wait()
            return await super().submit(operation)

    dropped, ledger = sample(DROPPED), Stuck(back=True)
    async with Finisher(grace=0.05).closing() as finisher:
        tell_later = TellLater(ledger=ledger, clock=clock, finisher=finisher)
        for number in range(5):
            tell_later(emit(number))
    assert ledger.told == ["e0", "e2", "e3", "e4"]
    assert (sample(DROPPED) - dropped, sample(WAITING)) == (1, 0)
