"""The ledger's events and the real analytics, each difference between them found and named."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.interceptors.validation import ValidationInterceptor
from mesh.rpc.local_channel import LocalChannel
from svc_analytics.domain import usage
from svc_analytics.ports import UsageStore
from svc_analytics.servicers.audit import AuditServicer
from svc_analytics.stores import STORES
from svc_analytics.usecases.audit_usage import CountUsage, FindUsage, ListEnforcedUsage
from svc_token.domain.audit.difference import Difference
from svc_token.domain.events import UsageEvent
from svc_token.domain.owner import Owner, OwnerKind, PoolKey
from svc_token.stores.grpc_usage_record import GrpcUsageRecord
from svc_token.usecases.reconcile.comparison import Compared
from svc_token.usecases.reconcile.events import CompareEvents
from svc_token.usecases.reconcile.reconcile import Found, NotCompared, Reconcile
from svc_token.usecases.reconcile.reservations import CompareReservations
from tests.svc_token.conftest import OTHER, HandClock
from tests.svc_token.usecases.reconcile.conftest import KEY, Audited, differences, kinds

pytestmark = pytest.mark.anyio
DAY_SECONDS = 86_400


@dataclass
class Both:
    """svc_token's books beside svc_analytics' events; what happens between two looks is `then`."""

    audited: Audited
    store: UsageStore
    compare: CompareEvents
    clock: HandClock
    paused: list[float] = field(default_factory=list)
    then: list[UsageEvent] = field(default_factory=list)

    async def spend(self, tokens: int = 10, key: PoolKey = KEY) -> UsageEvent:
        """A settled use, whose event has left the outbox for nowhere."""
        name = self.audited.house.ids.new()
        await self.audited.reserve(name, tokens, key)
        event = await self.audited.settle(name, tokens, key)
        await self.audited.deliver()
        return event

    async def store_all(self, events: Sequence[UsageEvent]) -> None:
        await self.store.append([stored(event) for event in events])

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        if seconds:
            await self.store_all(self.then)

    async def later(self) -> list[Difference]:
        """When nothing of it is under way any more."""
        self.clock.pass_seconds(60)
        return await differences(self.compare)


def stored(event: UsageEvent) -> usage.UsageEvent:
    names = usage.UsageEvent.__dataclass_fields__
    return usage.UsageEvent(**{name: getattr(event, name) for name in names})


@pytest.fixture
async def both(audited: Audited, clock: HandClock, tmp_path: Path) -> AsyncIterator[Both]:
    await audited.open_pool()
    clock.pass_seconds(1)
    async with STORES.open(f"sqlite:///{tmp_path / 'analytics.db'}") as store:
        dispatcher = Dispatcher([map_errors, ValidationInterceptor()])
        find = FindUsage(store=store, clock=clock, retention_seconds=DAY_SECONDS)
        servicer = AuditServicer(
            find=find, count=CountUsage(store=store), list_enforced=ListEnforcedUsage(store=store)
        )
        dispatcher.add(servicer)
        record = GrpcUsageRecord(LocalChannel(dispatcher))
        compare = CompareEvents(audit=audited.house.stores.audit, usage=record, clock=clock)
        made = Both(audited=audited, store=store, compare=compare, clock=clock)
        made.compare = replace(compare, pause=made.pause)
        yield made


async def test_events_that_have_arrived_show_nothing(both: Both) -> None:
    await both.store_all([await both.spend() for _ in range(3)])
    assert await both.later() == []
    assert both.paused == [0.0]


async def test_events_that_wait_in_the_outbox_show_nothing(both: Both) -> None:
    await both.audited.reserve("waits")
    await both.audited.settle("waits")
    assert await both.later() == []
    await both.audited.plant("UPDATE outbox SET parked = true")
    assert await both.later() == []


async def test_what_has_just_happened_is_not_looked_for(both: Both) -> None:
    await both.spend()
    assert await differences(both.compare) == []


async def test_an_event_that_arrives_between_two_looks_shows_nothing(both: Both) -> None:
    both.then = [await both.spend()]
    assert await both.later() == []
    assert len(both.paused) > 1


async def test_a_missing_event_is_found_and_named(both: Both) -> None:
    lost = await both.spend(7)
    await both.store_all([await both.spend()])
    (found,) = await both.later()
    assert found.kind == "event-missing"
    assert lost.event_id in found.subject
    assert "7 tokens" in found.expected


async def test_an_event_past_its_retention_is_not_looked_for(both: Both) -> None:
    await both.spend()
    both.clock.pass_seconds(DAY_SECONDS)
    assert await both.later() == []


@pytest.mark.parametrize("wrong", [{"tokens": 8}, {"user_id": OTHER}, {"reason": "unenforced"}])
async def test_an_event_that_says_something_else_is_found(
    both: Both, wrong: dict[str, Any]
) -> None:
    event = await both.spend(7)
    await both.store_all([replace(event, **wrong)])
    found = await both.later()
    assert kinds(found) == ["event-differs"]
    assert event.event_id in found[0].subject


async def test_an_event_under_another_time_is_found_and_not_sent_again(both: Both) -> None:
    event = await both.spend()
    await both.store_all([replace(event, at_us=event.at_us + 1)])
    found = await both.later()
    assert kinds(found) == ["event-differs"]
    assert found[0].repair is None


@pytest.mark.parametrize("provider", ["openai", "qwen"])
async def test_an_event_that_no_line_names_is_found(both: Both, provider: str) -> None:
    own = await both.spend()
    forged = replace(both.audited.event(both.audited.house.ids.new(), 99), provider=provider)
    await both.store_all([own, forged])
    found = await both.later()
    assert kinds(found) == ["event-unknown"]
    assert forged.event_id in found[0].subject
    assert "99 tokens" in found[0].found


async def test_a_lost_event_does_not_hide_one_that_no_line_names(both: Both) -> None:
    await both.spend()
    await both.store_all([both.audited.event(both.audited.house.ids.new())])
    assert kinds(await both.later()) == ["event-missing", "event-unknown"]


async def test_denied_and_unenforced_events_are_none_of_the_ledgers(both: Both) -> None:
    event = both.audited.event(both.audited.house.ids.new())
    denied = replace(event, allowed=False, reason="RATE_LIMITED")
    unenforced = replace(event, event_id=both.audited.house.ids.new(), reason="unenforced")
    await both.store_all([denied, unenforced])
    assert await both.later() == []


async def test_events_from_before_the_ledger_opened_are_not_its(both: Both) -> None:
    old = both.audited.event(both.audited.house.ids.new())
    await both.store_all([replace(old, at_us=old.at_us - 1_000_000)])
    assert await both.later() == []


async def test_many_events_of_many_owners_are_compared_page_by_page(both: Both) -> None:
    keys = [
        PoolKey(Owner(OwnerKind.ORG, OTHER.replace("b", f"{number:x}")), "openai")
        for number in range(10)
    ]
    for key in keys:
        await both.audited.open_pool(key=key)
    both.clock.pass_seconds(1)
    for _ in range(12):
        both.clock.pass_seconds(600)
        spent = await asyncio.gather(*(both.spend(3, key) for key in keys for _ in range(5)))
        await both.store_all(spent)
    lost = await both.spend(1, keys[0])
    forged = both.audited.event(both.audited.house.ids.new(), key=keys[1])
    await both.store_all([forged])
    both.clock.pass_seconds(60)
    compared = Compared()
    found = [one async for one in both.compare(compared)]
    assert compared.events == 601
    assert {one.subject for one in found} == {
        f"event {lost.event_id}",
        f"event {forged.event_id} in analytics",
    }


# Repair.


async def test_repair_sends_a_missing_event_again_as_it_was(both: Both) -> None:
    lost = await both.spend()
    both.clock.pass_seconds(60)
    reconcile = Reconcile(comparisons=[both.compare], ledger=both.audited.house.stores.ledger)
    told = [one async for one in reconcile(repair=False)]
    assert [one.repaired for one in told if isinstance(one, Found)] == [False]
    assert await both.audited.house.told() == []
    told = [one async for one in reconcile(repair=True)]
    assert [one.repaired for one in told if isinstance(one, Found)] == [True]
    assert await both.audited.house.told() == [lost.message()]
    assert await differences(both.compare) == []


async def test_repair_frees_an_orphan_through_the_ledger_and_changes_nothing_else(
    both: Both,
) -> None:
    house = both.audited.house
    await both.audited.reserve("orphan", 30)
    await both.audited.plant("UPDATE pools SET purchased = purchased + 1")
    both.clock.pass_seconds(71)
    compare = CompareReservations(audit=house.stores.audit, limits=house.limits, clock=house.clock)
    reconcile = Reconcile(comparisons=[compare], ledger=house.stores.ledger)
    told = [one async for one in reconcile(repair=True)]
    assert [one.repaired for one in told if isinstance(one, Found)] == [True]
    assert await house.held() == 0
    pool = await house.stores.pools.find(KEY)
    assert pool is not None
    assert (pool.allowance_used, pool.purchased) == (0, 1)
    assert await differences(compare) == []


async def test_a_reservation_that_the_sweeper_may_still_get_is_no_orphan(both: Both) -> None:
    house = both.audited.house
    await both.audited.reserve("late")
    both.clock.pass_seconds(69)
    compare = CompareReservations(audit=house.stores.audit, limits=house.limits, clock=house.clock)
    assert await differences(compare) == []


async def test_while_a_part_is_away_the_rest_is_compared(both: Both) -> None:
    @dataclass(frozen=True, slots=True)
    class Away:
        what: str = "something"

        async def __call__(self, _compared: Compared) -> AsyncIterator[Difference]:
            nothing: list[Difference] = []
            for difference in nothing:
                yield difference
            raise AppError(REASON_UNAVAILABLE, "is away")

    await both.spend()
    both.clock.pass_seconds(60)
    reconcile = Reconcile(
        comparisons=[Away(), both.compare], ledger=both.audited.house.stores.ledger
    )
    told = [one async for one in reconcile(repair=False)]
    assert told[0] == NotCompared(what="something", why="is away")
    assert isinstance(told[1], Found)
    assert told[-1] == Compared(events=1)
