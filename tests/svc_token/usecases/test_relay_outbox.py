"""Committed events reach their reader at least once, whatever happens on the way."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_token.domain.events import OutboxRow
from svc_token.domain.operations import Emit
from svc_token.domain.shards import ALL, SHARDS
from svc_token.ports import Outbox
from svc_token.usecases.hold_shards import GROUP, LEASE_US
from svc_token.usecases.relay_outbox import BATCH, RelayOutbox
from tests.svc_token.conftest import House, Receiver, spend
from tests.svc_token.relaying import relay_of
from tests.svc_token.stores.test_sagas_contract import SAGA

pytestmark = pytest.mark.anyio
LEASE_SECONDS = LEASE_US / 1_000_000


async def committed(house: House, *event_ids: str, user: str = "u") -> None:
    for event_id in event_ids:
        event = spend(user_id=user).event(event_id, house.clock.now)
        await house.stores.ledger.submit(Emit(event=event))


def relay(house: House, *, receiver: Receiver | None = None) -> RelayOutbox:
    """A new process."""
    stores = house.stores
    return relay_of(stores.outbox, stores.leases, receiver or house.receiver, house.clock)


def ids(rows: Sequence[OutboxRow]) -> list[str]:
    return [row.event_id for row in rows]


async def waiting(house: House) -> list[str]:
    return ids(await house.stores.outbox.pending(1000))


async def test_events_arrive_in_the_order_of_their_commits_and_are_done(house: House) -> None:
    names = [f"e{number}" for number in range(20)]
    await committed(house, *names)
    one = relay(house)
    assert await one() == 20
    assert ids(house.receiver.taken) == names
    assert await house.stores.outbox.depth() == 0
    assert await one() == 0
    assert len(house.receiver.taken) == 20


async def test_a_round_takes_no_more_than_a_batch(house: House) -> None:
    await committed(house, *(f"e{number}" for number in range(BATCH + 1)))
    one = relay(house)
    assert [await one() for _ in range(3)] == [BATCH, 1, 0]


async def test_two_events_in_one_millisecond_are_two(house: House) -> None:
    """A system like this kept events by owner and millisecond, and lost the first."""
    await committed(house, "e1", "e2")
    await relay(house)()
    first, second = house.receiver.messages()
    assert (first.pop("eventId"), second.pop("eventId")) == ("e1", "e2")
    assert first == second


async def test_while_the_receiver_is_away_nothing_is_lost(house: House) -> None:
    await committed(house, "e1", "e2")
    house.receiver.away = True
    one = relay(house)
    for _ in range(3):
        with pytest.raises(AppError):
            await one()
    assert await house.stores.outbox.depth() == 2
    house.receiver.away = False
    await one()
    assert ids(house.receiver.taken) == ["e1", "e2"]


class Forgetful:
    """The real outbox of a process that dies between publishing and noting it."""

    def __init__(self, inner: Outbox) -> None:
        self.pending, self.park, self.parked = inner.pending, inner.park, inner.parked
        self.requeue, self.depth, self.backlog = inner.requeue, inner.depth, inner.backlog

    async def delivered(self, seqs: Sequence[int]) -> None:
        raise RuntimeError(f"gone before {seqs} are noted")


async def test_what_a_process_leaves_that_dies_is_sent_again_when_its_lease_is_up(
    house: House,
) -> None:
    await committed(house, "e1")
    stores = house.stores
    with pytest.raises(RuntimeError):
        await relay_of(Forgetful(stores.outbox), stores.leases, house.receiver, house.clock)()
    other = relay(house)
    assert await other() == 0
    house.clock.pass_seconds(LEASE_SECONDS)
    assert await other() == 1
    assert ids(house.receiver.taken) == ["e1", "e1"]
    assert await house.stores.outbox.depth() == 0


# Poison.


@pytest.mark.parametrize(
    "poison", [{"e0"}, {"e3"}, {"e2", "e5", "e6"}, {f"e{n}" for n in range(7)}]
)
async def test_what_nobody_takes_is_parked_and_all_else_delivered(
    house: House, poison: set[str]
) -> None:
    names = [f"e{number}" for number in range(7)]
    for name in names:
        await committed(house, name, user=f"of {name}")
    house.receiver.poison = poison
    one = relay(house)
    assert await one() == 7
    assert ids(house.receiver.taken) == [name for name in names if name not in poison]
    parked = await house.stores.outbox.parked(10)
    assert [(row.event_id, row.parked_us) for row in parked] == [
        (name, house.clock.now) for name in sorted(poison)
    ]
    assert await house.stores.outbox.depth() == 0
    await committed(house, "later")
    await one()
    assert ids(house.receiver.taken)[-1] == "later"


async def test_poison_blocks_its_own_key_and_no_other(house: House) -> None:
    for number in range(4):
        await committed(house, f"a{number}", user="a")
        await committed(house, f"b{number}", user="b")
    house.receiver.poison = {"a1"}
    one = relay(house)
    await one()
    assert ids(house.receiver.taken) == ["a0", "b0", "b1", "b2", "b3"]
    await committed(house, "a4", user="a")
    await committed(house, "b4", user="b")
    await one()
    assert ids(house.receiver.taken)[5:] == ["b4"]
    assert (await house.stores.outbox.backlog()).depth == 3


async def test_a_requeued_event_goes_before_what_waited_behind_it(house: House) -> None:
    await committed(house, "e0", "e1", "e2")
    house.receiver.poison = {"e1"}
    one = relay(house)
    await one()
    # It is still poison.
    assert await house.stores.outbox.requeue(["e1"]) == ["e1"]
    await one()
    assert ids(house.receiver.taken) == ["e0"]
    house.receiver.poison = set()
    await one()
    assert ids(house.receiver.taken) == ["e0"]
    await house.stores.outbox.requeue(["e1"])
    await one()
    assert ids(house.receiver.taken) == ["e0", "e1", "e2"]


# Topics that are not there.


async def bought(house: House, *users: str) -> list[str]:
    """Purchases' first events, on the other topic."""
    events = []
    for user in users:
        event_id = house.ids.new()
        saga = replace(SAGA, id=house.ids.new(), user_id=user, idempotency_key=None)
        await house.stores.sagas.start(saga, event_id)
        events.append(event_id)
    return events


async def test_a_topic_that_is_missing_holds_up_no_other(house: House) -> None:
    for number in range(5):
        await committed(house, f"e{number}", user=f"u{number}")
    events = await bought(house, "u0", "u4", "v")
    house.receiver.missing = {"token-usage"}
    one = relay(house)
    with capture_logs() as logs:
        assert await one() == 8
    assert ids(house.receiver.taken) == events
    assert [entry for entry in logs if entry["log_level"] == "error"] == [
        {
            "event": "events that have no topic are parked",
            "log_level": "error",
            "topics": ["token-usage"],
            "events": 5,
        }
    ]
    # Not one by one: each try at a topic that is not there takes time.
    assert house.receiver.calls == 2
    parked = await house.stores.outbox.parked(10)
    assert {(row.event_id, row.topic) for row in parked} == {
        (f"e{number}", "token-usage") for number in range(5)
    }
    events += await bought(house, "u0")
    await one()
    assert ids(house.receiver.taken) == events


async def test_more_than_a_batch_for_a_missing_topic_hold_up_no_other(house: House) -> None:
    user = "u"
    for start in range(0, BATCH + 10, 100):
        several = (f"e{number}" for number in range(start, start + 100))
        await asyncio.gather(*(committed(house, one, user=user) for one in several))
    events = await bought(house, user)
    house.receiver.missing = {"token-usage"}
    one = relay(house)
    while await one():
        pass
    assert ids(house.receiver.taken) == events


async def test_when_the_topic_is_there_its_events_go_again_in_their_order(house: House) -> None:
    await committed(house, "e0", "e1", "e2")
    house.receiver.missing = {"token-usage"}
    one = relay(house)
    await one()
    await committed(house, "e3")
    assert await one() == 0
    house.receiver.missing = set()
    assert await one() == 0
    await house.stores.outbox.requeue(None)
    await one()
    assert ids(house.receiver.taken) == ["e0", "e1", "e2", "e3"]


async def test_poison_beside_a_missing_topic_is_found(house: House) -> None:
    await committed(house, "e0", "e1", user="a")
    first, second = await bought(house, "a", "b")
    house.receiver.missing, house.receiver.poison = {"token-usage"}, {first}
    await relay(house)()
    assert ids(house.receiver.taken) == [second]
    parked = await house.stores.outbox.parked(10)
    assert {row.event_id for row in parked} == {"e0", "e1", first}


# Leases.


async def test_two_share_the_shards_and_each_event_goes_once(house: House) -> None:
    one, other = relay(house), relay(house)
    for _ in range(2):
        await one.hold()
        await other.hold()
        house.clock.pass_seconds(1)
    for number in range(60):
        await committed(house, f"e{number}", user=f"u{number}")
    counts = [await one(), await other()]
    assert min(counts) > 0
    assert sum(counts) == 60
    assert len({*ids(house.receiver.taken)}) == 60
    assert len(await one.hold()) == len(await other.hold()) == SHARDS / 2


async def test_what_is_given_back_is_another_s_at_its_next_turn(house: House) -> None:
    one, other = relay(house), relay(house)
    await one()
    await one.hold.give_back()
    await committed(house, "e1")
    assert await other() == 1


async def test_asked_often_the_store_is_asked_once_a_second(house: House) -> None:
    one = relay(house)
    before = await one.hold()
    await house.stores.leases.give_back(GROUP, [f"{n:02}" for n in range(SHARDS)], one.hold.holder)
    house.clock.pass_seconds(0.9)
    assert await one.hold() == before
    house.clock.pass_seconds(0.1)
    # Taken anew, as the fences tell.
    assert set((await one.hold()).values()) == {2}


@dataclass
class Meanwhile:
    """The real outbox; something happens between a read of it and the publishing."""

    inner: Outbox
    happens: Callable[[], object]
    reads: int = field(default=0)

    def __post_init__(self) -> None:
        self.delivered, self.park, self.parked = (
            self.inner.delivered,
            self.inner.park,
            self.inner.parked,
        )
        self.requeue, self.depth, self.backlog = (
            self.inner.requeue,
            self.inner.depth,
            self.inner.backlog,
        )

    async def pending(self, limit: int, *, shards: Collection[int] = ALL) -> Sequence[OutboxRow]:
        rows = await self.inner.pending(limit, shards=shards)
        if rows and not self.reads:
            self.reads += 1
            done = self.happens()
            if asyncio.iscoroutine(done):
                await done
        return rows


async def test_who_was_paused_for_longer_than_its_lease_publishes_nothing(house: House) -> None:
    await committed(house, "e1")
    other = relay(house)

    async def taken_over() -> None:
        house.clock.pass_seconds(LEASE_SECONDS)
        assert await other() == 1

    stores = house.stores
    paused = relay_of(
        Meanwhile(stores.outbox, taken_over), stores.leases, house.receiver, house.clock
    )
    await paused()
    assert ids(house.receiver.taken) == ["e1"]


async def test_who_has_its_shards_back_publishes_nothing_that_it_read_before(
    house: House,
) -> None:
    await committed(house, "e1")
    other = relay(house)

    async def taken_over_and_left() -> None:
        house.clock.pass_seconds(LEASE_SECONDS)
        assert await other() == 1
        await other.hold.give_back()

    stores = house.stores
    paused = relay_of(
        Meanwhile(stores.outbox, taken_over_and_left), stores.leases, house.receiver, house.clock
    )
    await paused()
    # It has them, under other fences.
    assert len(await paused.hold()) == SHARDS
    assert ids(house.receiver.taken) == ["e1"]


async def test_who_paused_and_lost_nothing_goes_on_in_the_next_round(house: House) -> None:
    await committed(house, "e1", "e2")
    stores = house.stores
    slow = Meanwhile(stores.outbox, lambda: house.clock.pass_seconds(LEASE_SECONDS))
    paused = relay_of(slow, stores.leases, house.receiver, house.clock)
    await paused()
    assert house.receiver.taken == []
    await paused()
    assert ids(house.receiver.taken) == ["e1", "e2"]


async def test_no_batch_begins_on_a_lease_that_ends_too_soon(house: House) -> None:
    await committed(house, "e1")

    class Slow:
        """Leases that took two seconds to come."""

        give_back = house.stores.leases.give_back

        async def share(self, *names: object, **times: int) -> object:
            leases = await house.stores.leases.share(*names, **times)  # type: ignore[arg-type] # as given
            house.clock.pass_seconds(2)
            return leases

    slow = relay_of(house.stores.outbox, Slow(), house.receiver, house.clock)  # type: ignore[arg-type] # a port
    assert await slow() == 0
    assert await waiting(house) == ["e1"]


async def test_without_the_store_of_the_leases_nothing_is_published(house: House) -> None:
    await committed(house, "e1")

    class Away:
        give_back = house.stores.leases.give_back
        away = False

        async def share(self, *names: object, **times: int) -> object:
            if self.away:
                raise AppError(REASON_UNAVAILABLE, "away")
            return await house.stores.leases.share(*names, **times)  # type: ignore[arg-type] # as given

    leases = Away()
    one = relay_of(house.stores.outbox, leases, house.receiver, house.clock)  # type: ignore[arg-type] # a port
    await one.hold()
    leases.away = True
    house.clock.pass_seconds(1)
    with pytest.raises(AppError):
        await one()
    assert house.receiver.taken == []
