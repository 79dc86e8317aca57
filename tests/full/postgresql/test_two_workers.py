"""Purchases and events go their way once when the loops of two instances are at them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest

from mesh.clock import Clock, RandomIds
from mesh.settings import Live
from svc_token.domain.events import OutboxRow
from svc_token.domain.operations import Emit
from svc_token.domain.owner import Owner
from svc_token.domain.payment import Payment, PaymentState
from svc_token.domain.saga import Saga, Status, Step
from svc_token.domain.shards import ALL, SHARDS
from svc_token.limits import LiveLimits
from svc_token.settings import TokenSettings
from svc_token.stores.stores import TokenStores
from svc_token.usecases.advance_purchase import AdvancePurchase
from svc_token.usecases.hold_shards import LEASE_US
from svc_token.usecases.relay_outbox import RelayOutbox
from svc_token.workers.saga_runner import SagaRunner
from tests.full.postgresql.conftest import Two
from tests.parts.postgresql import execute
from tests.parts.urls import POSTGRESQL, url
from tests.svc_token.conftest import FakeRoles, HandClock, Receiver
from tests.svc_token.relaying import relay_of
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
    busy: Counter[str] = field(default_factory=Counter)
    most: int = 0

    async def authorize(self, payment_id: str, _tokens: int) -> bool:
        return await self._did(f"authorize {payment_id}")

    async def capture(self, payment_id: str) -> None:
        await self._did(f"capture {payment_id}")

    async def void(self, payment_id: str) -> None:
        await self._did(f"void {payment_id}")

    async def find(self, payment_id: str) -> Payment | None:
        raise NotImplementedError(payment_id)

    async def list(
        self, limit: int, *, after: str | None = None, state: PaymentState | None = None
    ) -> Sequence[Payment]:
        raise NotImplementedError((limit, after, state))

    async def _did(self, step: str) -> bool:
        self.steps[step] += 1
        payment_id = step.partition(" ")[2]
        self.busy[payment_id] += 1
        self.most = max(self.most, self.busy[payment_id])
        for _ in range(10):
            await asyncio.sleep(0)
        self.busy[payment_id] -= 1
        return True


def runner(stores: TokenStores, bank: Bank, folder: Path, holder: str) -> SagaRunner:
    limits = LiveLimits(Live.read(TokenSettings, {"LEAKY_DATA": str(folder)}))
    advance = AdvancePurchase(
        sagas=stores.sagas,
        payments=bank,
        roles=FakeRoles(),
        limits=limits,
        clock=HandClock(),
        ids=RandomIds(),
    )
    return SagaRunner(
        sagas=stores.sagas, advance=advance, limits=limits, clock=HandClock(), holder=holder
    )


async def test_runners_of_both_bring_each_purchase_to_its_end_once(
    two: Two, tmp_path: Path
) -> None:
    bank = Bank()
    for number in range(PURCHASES):
        # Four purchases to a pool, which the first of them makes.
        user = f"u{number // 4}"
        saga = replace(SAGA, id=f"s{number}", user_id=user, idempotency_key=None)
        await two.one.sagas.start(saga, f"e{number}")
    runners = [runner(stores, bank, tmp_path, f"p{id(stores)}") for stores in two.both]
    await asyncio.gather(*(one() for one in runners))
    assert bank.most == 1
    assert set(bank.steps.values()) == {1}
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


def relay(stores: TokenStores, receiver: Receiver, clock: Clock) -> RelayOutbox:
    """A process that delivers."""
    return relay_of(stores.outbox, stores.leases, receiver, clock)


@dataclass
class Busy(Receiver):
    """Gives another relay the time to begin, and counts who is at one owner's events at once."""

    keys: Counter[str] = field(default_factory=Counter)
    most: int = 0

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        mine = {row.key for row in rows}
        self.keys.update(mine)
        self.most = max(self.most, *(self.keys[key] for key in mine))
        await asyncio.sleep(0.001)
        await super().publish(rows)
        self.keys.subtract(mine)


async def test_events_leave_once_and_in_order_while_both_write_and_deliver(two: Two) -> None:
    receiver = Busy()
    writing = True

    async def write(number: int, stores: TokenStores) -> None:
        for turn in range(60):
            event = replace(used(f"{number}-{turn}", 1), user_id=f"u{number}", org_id=None)
            await stores.ledger.submit(Emit(event=event))

    async def deliver(one: RelayOutbox) -> int:
        delivered = 0
        while writing or await two.one.outbox.depth():
            delivered += await one()
            await asyncio.sleep(0)
        return delivered

    clock = HandClock()
    relays = [relay(stores, receiver, clock) for stores in two.both]
    # A first turn tells each of the other, a second one shares.
    for _ in range(2):
        clock.pass_seconds(1)
        held = [len(await one.hold()) for one in (*relays, *relays)]
    assert held == [SHARDS // 2] * 4
    async with asyncio.timeout(3 * PATIENCE), asyncio.TaskGroup() as group:
        tasks = [group.create_task(deliver(one)) for one in relays]
        writers = zip(range(10), two.turns(), strict=False)
        await asyncio.gather(*(write(number, stores) for number, stores in writers))
        writing = False
    assert receiver.most == 1
    counts = [task.result() for task in tasks]
    assert min(counts) > 0
    assert len(receiver.taken) == sum(counts) == 600
    for number in range(10):
        owner = str(Owner.of(f"u{number}", None))
        mine = [row.event_id for row in receiver.taken if row.key == owner]
        assert mine == [f"{number}-{turn}" for turn in range(60)]


async def test_processes_that_come_and_go_lose_no_shard(two: Two) -> None:
    clock = HandClock()
    receiver = Receiver()
    relays = [relay(stores, receiver, clock) for stores in (*two.both, *two.both)]
    for living in (relays[:1], relays, relays[2:], relays[1:], relays[:2]):
        # Half of those that go say so; the others are missed.
        gone = [one for one in relays if one not in living]
        for one in gone[::2]:
            await one.hold.give_back()
        clock.pass_seconds(LEASE_US / 1_000_000)
        held: list[int] = []
        for _ in range(3):
            clock.pass_seconds(1)
            held = [shard for one in living for shard in await one.hold()]
        assert sorted(held) == list(ALL)


async def test_a_database_that_drops_a_turn_gives_its_shards_to_nobody_else(two: Two) -> None:
    clock = HandClock()
    receiver = Receiver()
    first, second = (relay(stores, receiver, clock) for stores in two.both)
    assert len(await first.hold()) == SHARDS
    await execute(
        two.url,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        # Autovacuum is a superuser's, which we may not end.
        " AND backend_type = 'client backend'",
    )
    await two.one.ledger.submit(Emit(event=used("e1", 1)))
    async with asyncio.timeout(PATIENCE):
        assert await second() == 0
        assert await first() == 1
    assert [row.event_id for row in receiver.taken] == ["e1"]
