"""Purchases and events go their way once when the loops of two instances are at them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest

from mesh.clock import RandomIds
from mesh.settings import Live
from svc_token.domain.events import OutboxRow
from svc_token.domain.operations import Emit
from svc_token.domain.owner import Owner
from svc_token.domain.saga import Saga, Status, Step
from svc_token.limits import LiveLimits
from svc_token.settings import TokenSettings
from svc_token.stores.stores import TokenStores
from svc_token.usecases.advance_purchase import AdvancePurchase
from svc_token.usecases.relay_outbox import RelayOutbox
from svc_token.workers.saga_runner import SagaRunner
from tests.full.postgresql.conftest import Two
from tests.parts.postgresql import execute
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import FakeRoles, HandClock, Receiver
from tests.svc_token.stores.test_ledger_contract import used
from tests.svc_token.stores.test_sagas_contract import SAGA

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not url(POSTGRESQL), reason="needs a PostgreSQL"),
]
PURCHASES = 24
PATIENCE = 20.0


async def test_one_key_at_both_is_one_purchase(two: Two) -> None:
    wanted = [replace(SAGA, id=f"s{number}") for number in range(20)]
    started = await asyncio.gather(
        *(
            stores.sagas.start(saga, f"e-{saga.id}")
            for stores, saga in zip(two.turns(), wanted, strict=False)
        )
    )
    assert len({saga.id for saga in started}) == 1
    assert await two.one.outbox.depth() == 1


@dataclass
class Bank:
    """Takes every step, as often as it comes, and slowly enough for two to meet."""

    steps: Counter[str] = field(default_factory=Counter)

    async def authorize(self, payment_id: str, _tokens: int) -> bool:
        return await self._did(f"authorize {payment_id}")

    async def capture(self, payment_id: str) -> None:
        await self._did(f"capture {payment_id}")

    async def void(self, payment_id: str) -> None:
        await self._did(f"void {payment_id}")

    async def _did(self, step: str) -> bool:
        self.steps[step] += 1
        await asyncio.sleep(0)
        return True


def runner(stores: TokenStores, bank: Bank, folder: Path) -> SagaRunner:
    limits = LiveLimits(Live.read(TokenSettings, {"LEAKY_DATA": str(folder)}))
    advance = AdvancePurchase(
        sagas=stores.sagas,
        payments=bank,
        roles=FakeRoles(),
        limits=limits,
        clock=HandClock(),
        ids=RandomIds(),
    )
    return SagaRunner(sagas=stores.sagas, advance=advance, limits=limits, clock=HandClock())


async def test_runners_of_both_bring_each_purchase_to_its_end_once(
    two: Two, tmp_path: Path
) -> None:
    bank = Bank()
    for number in range(PURCHASES):
        # Four purchases to a pool, which the first of them makes.
        user = f"u{number // 4}"
        saga = replace(SAGA, id=f"s{number}", user_id=user, idempotency_key=None)
        await two.one.sagas.start(saga, f"e{number}")
    await asyncio.gather(*(runner(stores, bank, tmp_path)() for stores in two.both))
    assert await two.one.sagas.unfinished(1) == []
    ended: list[Saga | None] = [
        await two.one.sagas.find(f"s{number}") for number in range(PURCHASES)
    ]
    assert {(saga.status, saga.step) for saga in ended if saga} == {(Status.COMPLETED, Step.NONE)}
    for number in range(PURCHASES // 4):
        pool = await two.one.pools.find(replace(SAGA, user_id=f"u{number}").pool)
        assert pool is not None
        assert pool.purchased == 4 * SAGA.tokens
    events = [orjson.loads(row.payload) for row in await two.one.outbox.pending(1000)]
    told = Counter((event["sagaId"], event["type"]) for event in events)
    assert set(told.values()) == {1}
    assert len(told) == 4 * PURCHASES


@dataclass
class SlowReceiver(Receiver):
    """Gives another relay the time to begin."""

    busy: int = 0
    most: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0.001)
        await super().publish(rows)
        self.busy -= 1


def relays(two: Two, receiver: Receiver) -> list[RelayOutbox]:
    return [RelayOutbox(outbox=stores.outbox, sink=receiver) for stores in two.both]


async def test_events_leave_once_and_in_order_while_both_write_and_deliver(two: Two) -> None:
    receiver = SlowReceiver()
    writing = True

    async def write(number: int, stores: TokenStores) -> None:
        for turn in range(60):
            event = replace(used(f"{number}-{turn}", 1), user_id=f"u{number}", org_id=None)
            await stores.ledger.submit(Emit(event=event))

    async def deliver(relay: RelayOutbox) -> None:
        while writing or await two.one.outbox.depth():
            await relay()
            await asyncio.sleep(0)

    async with asyncio.timeout(3 * PATIENCE), asyncio.TaskGroup() as group:
        for relay in relays(two, receiver):
            group.create_task(deliver(relay))
        writers = zip(range(10), two.turns(), strict=False)
        await asyncio.gather(*(write(number, stores) for number, stores in writers))
        writing = False
    assert receiver.most == 1
    assert len(receiver.taken) == 600
    for number in range(10):
        owner = str(Owner.of(f"u{number}", None))
        mine = [row.event_id for row in receiver.taken if row.key == owner]
        assert mine == [f"{number}-{turn}" for turn in range(60)]


async def test_who_has_not_the_turn_delivers_nothing_and_gets_it_afterwards(two: Two) -> None:
    await two.one.ledger.submit(Emit(event=used("e1", 1)))
    receiver = SlowReceiver(gate=asyncio.Event())
    first, second = relays(two, receiver)
    async with asyncio.timeout(PATIENCE):
        delivering = asyncio.ensure_future(first())
        await receiver.reached.wait()
        assert await second() == 0
        assert receiver.gate is not None
        receiver.gate.set()
        assert await delivering == 1
        await two.other.ledger.submit(Emit(event=used("e2", 1)))
        assert await second() == 1
    assert [row.event_id for row in receiver.taken] == ["e1", "e2"]


async def test_a_relay_that_is_cut_short_or_loses_its_connection_leaves_the_turn(
    two: Two,
) -> None:
    await two.one.ledger.submit(Emit(event=used("e1", 1)))
    receiver = SlowReceiver(gate=asyncio.Event())
    first, second = relays(two, receiver)
    async with asyncio.timeout(PATIENCE):
        for end in (_cancel, _disconnect):
            receiver.reached.clear()
            delivering = asyncio.ensure_future(first())
            await receiver.reached.wait()
            await end(two, delivering)
            async with two.other.outbox.turn() as mine:
                assert mine
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
        receiver.gate = None
        assert await second() == 1
    assert [row.event_id for row in receiver.taken] == ["e1"]


async def _cancel(_two: Two, delivering: "asyncio.Future[int]") -> None:
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)


async def _disconnect(two: Two, _delivering: "asyncio.Future[int]") -> None:
    await execute(
        two.url,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'",
    )
