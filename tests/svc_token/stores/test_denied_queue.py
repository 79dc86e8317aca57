"""Events of refusals: best effort, and bounded."""

import pytest

from mesh.errors import AppError
from svc_token.stores.denied_queue import BATCH, DROPPED, MOST, DeniedQueue
from tests.svc_token.conftest import TOPICS, Receiver, spend

pytestmark = pytest.mark.anyio


def offered(queue: DeniedQueue, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        queue.offer(spend().event(f"e{number}", 0, allowed=False, reason="RATE_LIMITED"))


def dropped() -> float:
    return float(DROPPED._value.get())


async def test_events_go_out_in_order_a_batch_at_a_time() -> None:
    receiver = Receiver()
    queue = DeniedQueue(receiver, TOPICS)
    assert await queue.flush() is False
    offered(queue, BATCH + 1)
    assert await queue.flush() is True
    assert len(receiver.taken) == BATCH
    assert await queue.flush() is False
    assert [row.event_id for row in receiver.taken] == [f"e{n}" for n in range(BATCH + 1)]
    assert {row.topic for row in receiver.taken} == {"token-usage"}


async def test_what_cannot_be_sent_waits_but_never_more_than_the_bound() -> None:
    receiver = Receiver(away=True)
    queue = DeniedQueue(receiver, TOPICS)
    before = dropped()
    offered(queue, MOST + 7)
    with pytest.raises(AppError):
        await queue.flush()
    assert (len(queue._events), dropped() - before) == (MOST, 7)
    receiver.away = False
    while await queue.flush():
        pass
    # The oldest went.
    assert [row.event_id for row in receiver.taken] == [f"e{n}" for n in range(7, MOST + 7)]


async def test_the_bound_holds_for_what_comes_back_too() -> None:
    class Filling(Receiver):
        async def publish(self, rows: object) -> None:  # noqa: ARG002
            offered(queue, BATCH, first=MOST)
            raise AppError(15, "away")  # type: ignore[arg-type] # any reason

    queue = DeniedQueue(Filling(), TOPICS)
    offered(queue, MOST)
    with pytest.raises(AppError):
        await queue.flush()
    assert len(queue._events) == MOST
    assert queue._events[0].event_id == f"e{BATCH}"


async def test_a_batch_that_nobody_takes_is_dropped() -> None:
    receiver = Receiver(poison={"e1"})
    queue = DeniedQueue(receiver, TOPICS)
    before = dropped()
    offered(queue, 3)
    assert await queue.flush() is False
    assert (receiver.taken, dropped() - before) == ([], 3)
