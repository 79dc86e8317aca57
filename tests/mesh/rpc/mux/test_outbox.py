import asyncio

import pytest
from prometheus_client import REGISTRY

from leaky.mesh.v1.mux_service_pb2 import Call, Frame
from mesh.rpc.mux.metrics import CLIENT
from mesh.rpc.mux.outbox import MOST_BYTES, MOST_ITEMS, MOST_WAITING, Outbox
from tests.mesh.discovery.waiting import until

pytestmark = pytest.mark.anyio


class Wire:
    """Where frames go; none while it is `full`."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, data: bytes) -> None:
        await self.open.wait()
        self.frames.append(Frame.FromString(data))

    def ids(self) -> list[list[int]]:
        return [[call.id for call in frame.calls] for frame in self.frames]


async def written(outbox: Outbox, wire: Wire) -> None:
    outbox.close()
    await outbox.run(wire.write)


def put(outbox: Outbox, *ids: int, size: int = 10) -> None:
    for id_ in ids:
        outbox.frame(size).calls.append(Call(id=id_))


async def test_what_gathers_in_one_turn_goes_as_one() -> None:
    outbox, wire = Outbox(CLIENT), Wire()
    writing = asyncio.ensure_future(outbox.run(wire.write))
    put(outbox, 1, 2, 3)
    await until(lambda: len(wire.frames) == 1)
    put(outbox, 4)
    outbox.close()
    await writing
    assert wire.ids() == [[1, 2, 3], [4]]


@pytest.mark.parametrize(("patient", "frames"), [(False, [[1], [2]]), (True, [[1, 2]])])
async def test_who_is_patient_gathers_for_two_turns(
    patient: object, frames: list[list[int]]
) -> None:
    outbox, wire = Outbox(CLIENT, lambda: bool(patient)), Wire()
    writing = asyncio.ensure_future(outbox.run(wire.write))
    await asyncio.sleep(0)
    put(outbox, 1)
    await asyncio.sleep(0)
    put(outbox, 2)
    outbox.close()
    await writing
    assert wire.ids() == frames


async def test_a_frame_is_closed_when_it_is_full() -> None:
    outbox, wire = Outbox(CLIENT), Wire()
    put(outbox, *range(MOST_ITEMS + 1))
    put(outbox, MOST_ITEMS + 1, size=MOST_BYTES)
    await written(outbox, wire)
    assert [len(ids) for ids in wire.ids()] == [MOST_ITEMS, 1, 1]
    assert [id_ for ids in wire.ids() for id_ in ids] == list(range(MOST_ITEMS + 2))


async def test_unsent_is_what_has_not_been_given_to_the_wire() -> None:
    outbox, wire = Outbox(CLIENT), Wire()
    wire.open.clear()
    writing = asyncio.ensure_future(outbox.run(wire.write))
    put(outbox, 1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    put(outbox, 2)
    assert [call.id for call in outbox.unsent()] == [2]
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_there_is_no_room_while_too_many_wait() -> None:
    outbox, wire = Outbox(CLIENT), Wire()
    put(outbox, *range(MOST_WAITING), size=MOST_BYTES)
    await outbox.room()
    put(outbox, MOST_WAITING, size=MOST_BYTES)
    waiting = asyncio.ensure_future(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await written(outbox, wire)
    await waiting


async def test_frames_that_wait_are_told_of_all_streams_together() -> None:
    def waiting() -> float:
        return REGISTRY.get_sample_value("mux_frames_waiting", {"side": "client"}) or 0.0

    before = waiting()
    first, second = (Outbox(CLIENT), Wire()), (Outbox(CLIENT), Wire())
    writing = []
    for outbox, wire in (first, second):
        wire.open.clear()
        put(outbox, *range(1, 4), size=MOST_BYTES)
        writing.append(asyncio.ensure_future(outbox.run(wire.write)))
    await until(lambda: waiting() == before + 4)
    first[1].open.set()
    await until(lambda: waiting() == before + 2)
    # Also those that come while a write does not end.
    put(second[0], *range(4, 6), size=MOST_BYTES)
    assert waiting() == before + 4
    # One whose stream ends has nothing that waits.
    writing[1].cancel()
    await until(lambda: waiting() == before)
    first[0].close()
    await asyncio.wait(writing)


async def test_a_call_is_taken_back_while_the_other_side_cannot_have_seen_it() -> None:
    outbox, wire = Outbox(CLIENT), Wire()
    last = 2 * MOST_ITEMS + 3
    wire.open.clear()
    put(outbox, *range(1, last + 1))
    writing = asyncio.ensure_future(outbox.run(wire.write))
    await asyncio.sleep(0)
    # The first frame is on its way.
    assert [outbox.withdraw(id_) for id_ in (1, MOST_ITEMS, MOST_ITEMS + 1, last, last + 1)] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert not outbox.withdraw(last)
    left = [*range(MOST_ITEMS + 2, last)]
    assert [call.id for call in outbox.unsent()] == left
    put(outbox, last + 1)
    wire.open.set()
    outbox.close()
    await writing
    assert [id_ for ids in wire.ids() for id_ in ids] == [
        *range(1, MOST_ITEMS + 1),
        *left,
        last + 1,
    ]


async def test_nothing_is_taken_back_where_nothing_is() -> None:
    outbox = Outbox(CLIENT)
    assert not outbox.withdraw(1)
    put(outbox, 2)
    assert (outbox.withdraw(2), outbox.withdraw(2)) == (True, False)
