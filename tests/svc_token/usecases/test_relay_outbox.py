"""Committed events reach their reader at least once, whatever happens on the way."""

from collections.abc import Sequence

import pytest

from mesh.errors import AppError
from svc_token.domain.events import OutboxRow
from svc_token.domain.operations import Emit
from svc_token.ports import Outbox
from svc_token.usecases.relay_outbox import BATCH, RelayOutbox
from tests.svc_token.conftest import House, spend

pytestmark = pytest.mark.anyio


async def committed(house: House, *event_ids: str) -> None:
    for event_id in event_ids:
        event = spend().event(event_id, house.clock.now)
        await house.stores.ledger.submit(Emit(event=event))


def relay(house: House) -> RelayOutbox:
    return RelayOutbox(outbox=house.stores.outbox, sink=house.receiver)


def ids(rows: list[OutboxRow]) -> list[str]:
    return [row.event_id for row in rows]


async def test_events_arrive_in_the_order_of_their_commits_and_are_done(house: House) -> None:
    names = [f"e{number}" for number in range(20)]
    await committed(house, *names)
    assert await relay(house)() == 20
    assert ids(house.receiver.taken) == names
    assert await house.stores.outbox.depth() == 0
    assert await relay(house)() == 0
    assert len(house.receiver.taken) == 20


async def test_a_round_takes_no_more_than_a_batch(house: House) -> None:
    await committed(house, *(f"e{number}" for number in range(BATCH + 1)))
    assert [await relay(house)() for _ in range(3)] == [BATCH, 1, 0]


async def test_while_the_receiver_is_away_nothing_is_lost(house: House) -> None:
    await committed(house, "e1", "e2")
    house.receiver.away = True
    for _ in range(3):
        with pytest.raises(AppError):
            await relay(house)()
    assert await house.stores.outbox.depth() == 2
    house.receiver.away = False
    await relay(house)()
    assert ids(house.receiver.taken) == ["e1", "e2"]


class Forgetful:
    """The real outbox of a process that dies between publishing and noting it."""

    def __init__(self, inner: Outbox) -> None:
        self.pending, self.park, self.depth = inner.pending, inner.park, inner.depth
        self.turn = inner.turn

    async def delivered(self, seqs: Sequence[int]) -> None:
        raise RuntimeError(f"gone before {seqs} are noted")


async def test_a_crash_before_delivery_is_noted_sends_again(house: House) -> None:
    await committed(house, "e1")
    with pytest.raises(RuntimeError):
        await RelayOutbox(outbox=Forgetful(house.stores.outbox), sink=house.receiver)()
    await relay(house)()
    assert ids(house.receiver.taken) == ["e1", "e1"]
    assert await house.stores.outbox.depth() == 0


@pytest.mark.parametrize(
    "poison", [{"e0"}, {"e3"}, {"e2", "e5", "e6"}, {f"e{n}" for n in range(7)}]
)
async def test_what_nobody_takes_is_parked_and_all_else_delivered(
    house: House, poison: set[str]
) -> None:
    names = [f"e{number}" for number in range(7)]
    await committed(house, *names)
    house.receiver.poison = poison
    assert await relay(house)() == 7
    assert ids(house.receiver.taken) == [name for name in names if name not in poison]
    assert await house.stores.outbox.depth() == 0
    await committed(house, "later")
    await relay(house)()
    assert ids(house.receiver.taken)[-1] == "later"
