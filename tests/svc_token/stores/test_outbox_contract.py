"""Every outbox hands its rows out in the order of their commits, and holds back what must wait."""

from dataclasses import replace

import pytest

from svc_token.domain.events import Backlog
from svc_token.domain.operations import Emit
from svc_token.domain.shards import ALL, shard_of
from svc_token.stores.stores import TokenStores
from tests.svc_token.stores.test_ledger_contract import used
from tests.svc_token.stores.test_sagas_contract import SAGA
from tests.traced import FOLLOWED

pytestmark = pytest.mark.anyio


async def told(stores: TokenStores, *events: tuple[str, str]) -> None:
    """Events, each with its user."""
    for number, (event_id, user) in enumerate(events):
        event = replace(used(event_id, 1), user_id=user, org_id=None, at_us=100 + number)
        await stores.ledger.submit(Emit(event=event))


async def going(stores: TokenStores, limit: int = 100, **shards: range) -> list[str]:
    return [row.event_id for row in await stores.outbox.pending(limit, **shards)]


async def park(stores: TokenStores, *event_ids: str) -> None:
    for row in await stores.outbox.pending(100):
        if row.event_id in event_ids:
            await stores.outbox.park([row.seq], 777)


async def test_the_oldest_of_all_shards_come_first(stores: TokenStores) -> None:
    names = [f"e{number}" for number in range(40)]
    await told(stores, *((name, f"u{number % 7}") for number, name in enumerate(names)))
    assert await going(stores) == names
    assert await going(stores, 11) == names[:11]


async def test_each_row_is_in_one_shard_its_key_s(stores: TokenStores) -> None:
    await told(stores, *((f"e{number}", f"u{number}") for number in range(60)))
    found = []
    for shard in ALL:
        rows = await stores.outbox.pending(100, shards=[shard])
        assert {shard_of(row.key) for row in rows} <= {shard}
        found += [row.event_id for row in rows]
    assert sorted(found) == sorted(f"e{number}" for number in range(60))
    some = await stores.outbox.pending(100, shards=[1, 5, 6])
    assert [row.seq for row in some] == sorted(row.seq for row in some)
    assert {shard_of(row.key) for row in some} == {1, 5, 6}
    assert await stores.outbox.pending(100, shards=[]) == ()


async def test_delivered_rows_are_gone(stores: TokenStores) -> None:
    await told(stores, ("e1", "u"), ("e2", "u"), ("e3", "u"))
    first, _, last = await stores.outbox.pending(10)
    for _ in range(2):
        await stores.outbox.delivered([first.seq, last.seq])
    assert await going(stores) == ["e2"]


async def test_behind_a_parked_row_its_key_waits_and_no_other(stores: TokenStores) -> None:
    await told(stores, ("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b"), ("a3", "a"))
    await park(stores, "a2")
    # What was before it is not held up.
    assert await going(stores) == ["b1", "b2"]
    assert [row.event_id for row in await stores.outbox.parked(10)] == ["a2"]
    await told(stores, ("a4", "a"), ("c1", "c"))
    assert await going(stores) == ["b1", "b2", "c1"]
    assert await stores.outbox.depth() == 6


async def test_very_much_that_waits_behind_a_parked_row_hides_nobody_else_s(
    stores: TokenStores,
) -> None:
    await told(stores, *((f"a{number}", "a") for number in range(10)), ("b1", "b"))
    await park(stores, "a0")
    assert await going(stores, 3) == ["b1"]
    # It is looked at once: from then on no more than what is asked for.
    await told(stores, ("c1", "c"), ("a10", "a"))
    assert await going(stores, 3) == ["b1", "c1"]
    assert await stores.outbox.depth() == 13 - 1
    await stores.outbox.requeue(["a0"])
    await told(stores, ("a11", "a"))
    names = []
    while rows := await stores.outbox.pending(3):
        names += [row.event_id for row in rows]
        await stores.outbox.delivered([row.seq for row in rows])
    assert [name for name in names if name[0] == "a"] == [f"a{number}" for number in range(12)]
    await told(stores, ("a12", "a"))
    assert await going(stores) == ["a12"]


async def test_a_key_s_rows_on_another_topic_do_not_wait(stores: TokenStores) -> None:
    await told(stores, ("a1", "u"), ("a2", "u"))
    await stores.sagas.start(SAGA, "bought")
    await park(stores, "a1")
    assert await going(stores) == ["bought"]
    await stores.outbox.requeue(["a1"])
    await park(stores, "bought")
    assert await going(stores) == ["a1", "a2"]


async def test_several_rows_are_parked_at_once(stores: TokenStores) -> None:
    await told(stores, ("a1", "a"), ("b1", "b"), ("c1", "c"))
    rows = await stores.outbox.pending(2)
    await stores.outbox.park([row.seq for row in rows], 777)
    assert await going(stores) == ["c1"]
    parked = await stores.outbox.parked(10)
    assert [(row.event_id, row.parked_us) for row in parked] == [("a1", 777), ("b1", 777)]


async def test_a_parked_row_is_shown_without_what_it_tells(stores: TokenStores) -> None:
    await told(stores, ("e1", "a"), ("e2", "b"), ("e3", "c"))
    rows = {row.event_id: row for row in await stores.outbox.pending(10)}
    await park(stores, "e1", "e3")
    first, last = await stores.outbox.parked(10)
    assert (first.event_id, first.topic, first.key) == ("e1", "token-usage", "user:a")
    assert (first.size, first.parked_us) == (len(rows["e1"].payload), 777)
    assert await stores.outbox.parked(1) == [first]
    assert await stores.outbox.parked(10, after=first.seq) == [last]


async def test_requeued_rows_go_again_in_their_old_places(stores: TokenStores) -> None:
    await told(stores, ("a1", "a"), ("a2", "a"), ("b1", "b"), ("c1", "c"))
    await park(stores, "a1", "b1", "c1")
    assert await going(stores) == []
    # One that waits, and one that there is not, are no error.
    assert await stores.outbox.requeue(["a1", "a2", "nobody"]) == ["a1"]
    assert await going(stores) == ["a1", "a2"]
    assert sorted(await stores.outbox.requeue(None)) == ["b1", "c1"]
    assert await going(stores) == ["a1", "a2", "b1", "c1"]
    assert await stores.outbox.requeue(None) == []
    assert await stores.outbox.parked(10) == []


async def test_the_backlog_in_figures(stores: TokenStores) -> None:
    assert await stores.outbox.backlog() == Backlog(depth=0, oldest_us=None, parked=0)
    await told(stores, ("a1", "a"), ("a2", "a"), ("b1", "b"))
    assert await stores.outbox.backlog() == Backlog(depth=3, oldest_us=100, parked=0)
    await park(stores, "a1")
    # Who waits behind a parked row is not delivered.
    assert await stores.outbox.backlog() == Backlog(depth=2, oldest_us=101, parked=1)


async def test_two_events_in_one_moment_are_two(stores: TokenStores) -> None:
    for event_id in ("e1", "e2"):
        await told(stores, (event_id, "u"))
    first, second = await stores.outbox.pending(10)
    assert first.payload.replace(b"e1", b"e2") == second.payload
    assert first.seq < second.seq


async def test_a_row_keeps_the_trace_that_it_was_made_in(stores: TokenStores) -> None:
    for event in (used("a", 1), replace(used("b", 1), traceparent=FOLLOWED)):
        await stores.ledger.submit(Emit(event=event))
    assert [row.traceparent for row in await stores.outbox.pending(10)] == ["", FOLLOWED]
