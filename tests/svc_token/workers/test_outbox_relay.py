"""The relay ends with its batch, leaves its shards to others, and tells how far behind it is."""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.events import Backlog, OutboxRow
from svc_token.domain.operations import Emit
from svc_token.domain.shards import SHARDS
from svc_token.workers import outbox_relay
from svc_token.workers.outbox_lag import DEPTH, LAG, PARKED, OutboxLag
from svc_token.workers.outbox_relay import OutboxRelay
from tests.svc_token.conftest import House, Receiver, spend
from tests.svc_token.relaying import relay_of

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


@dataclass
class Gated(Receiver):
    """Takes events when it is let."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        self.reached.set()
        await self.gate.wait()
        await super().publish(rows)


async def committed(house: House, *event_ids: str) -> None:
    for event_id in event_ids:
        await house.stores.ledger.submit(Emit(event=spend().event(event_id, house.clock.now)))


def worker(house: House, receiver: Receiver) -> OutboxRelay:
    relay = relay_of(house.stores.outbox, house.stores.leases, receiver, house.clock)
    return OutboxRelay(relay=relay, hold=relay.hold, pause=0.01)


async def ended(task: "asyncio.Task[None]") -> None:
    with suppress(asyncio.CancelledError):
        await task


async def test_it_ends_with_its_batch_and_the_others_have_its_shards_at_once(house: House) -> None:
    await committed(house, "e1", "e2")
    receiver = Gated()
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(worker(house, receiver)())
        await receiver.reached.wait()
        task.cancel()
        await asyncio.sleep(0)
        receiver.gate.set()
        await ended(task)
    assert len(receiver.taken) == 2
    assert await house.stores.outbox.depth() == 0
    other = relay_of(house.stores.outbox, house.stores.leases, receiver, house.clock)
    assert len(await other.hold()) == SHARDS


async def test_a_batch_that_does_not_end_is_left_to_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_relay, "DRAIN_SECONDS", 0.01)
    await committed(house, "e1")
    receiver = Gated()
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(worker(house, receiver)())
        await receiver.reached.wait()
        task.cancel()
        await ended(task)
    other = relay_of(house.stores.outbox, house.stores.leases, house.receiver, house.clock)
    assert await other() == 1


async def test_it_ends_although_its_leases_cannot_be_given_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise AppError(REASON_UNAVAILABLE, "the database is away")

    receiver = Gated()
    receiver.gate.set()
    built = worker(house, receiver)
    await committed(house, "e1")
    async with asyncio.timeout(PATIENCE):
        task = asyncio.ensure_future(built())
        await receiver.reached.wait()
        monkeypatch.setattr(type(house.stores.leases), "give_back", away)
        with capture_logs() as logs:
            task.cancel()
            await ended(task)
    assert [entry["event"] for entry in logs] == ["the others wait until the leases end"]


async def test_the_lag_is_the_age_of_the_oldest_event(house: House) -> None:
    measure = OutboxLag(outbox=house.stores.outbox, clock=house.clock)
    await committed(house, "e1", "e2")
    house.clock.pass_seconds(7)
    await committed(house, "e3")
    assert await measure() is False
    assert (DEPTH._value.get(), LAG._value.get(), PARKED._value.get()) == (3, 7, 0)
    [first, *_] = await house.stores.outbox.pending(1)
    await house.stores.outbox.park([first.seq], house.clock.now)
    await measure()
    assert (DEPTH._value.get(), PARKED._value.get()) == (2, 1)
    await house.stores.outbox.requeue(None)
    house.receiver.taken = []
    await relay_of(house.stores.outbox, house.stores.leases, house.receiver, house.clock)()
    await measure()
    assert (DEPTH._value.get(), LAG._value.get(), PARKED._value.get()) == (0, 0, 0)


async def test_while_the_store_is_away_the_lag_is_not_known(house: House) -> None:
    class Away:
        async def backlog(self) -> Backlog:
            raise AppError(REASON_UNAVAILABLE, "the database is away")

    with pytest.raises(AppError):
        await OutboxLag(outbox=Away(), clock=house.clock)()  # type: ignore[arg-type] # no more is asked
    assert all(math.isnan(gauge._value.get()) for gauge in (DEPTH, LAG, PARKED))
