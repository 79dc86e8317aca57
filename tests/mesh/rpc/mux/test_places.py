import asyncio
from math import inf

import pytest

from leaky.common.v1.reason_pb2 import REASON_DEADLINE_EXCEEDED, REASON_OVERLOADED
from mesh.errors import AppError
from mesh.rpc.mux.lost import LostError
from mesh.rpc.mux.places import MOST_WAITING, ROUNDS, Places

pytestmark = pytest.mark.anyio


async def waiting(places: Places, count: int = 1) -> list["asyncio.Task[None]"]:
    tasks = [asyncio.ensure_future(places.take(inf)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_as_many_as_there_are_places_begin_at_once() -> None:
    places = Places(2)
    await places.take(inf)
    await places.take(inf)
    [third] = await waiting(places)
    assert (places.taken, places.load, third.done()) == (2, 3, False)
    places.give_back()
    await third
    assert (places.taken, places.load) == (2, 2)


async def test_who_came_first_is_first() -> None:
    places = Places(1)
    await places.take(inf)
    first, second = await waiting(places, 2)
    places.give_back()
    await first
    assert not second.done()
    places.give_back()
    await second


async def test_nobody_who_comes_later_passes_one_who_has_just_been_given_a_place() -> None:
    places = Places(1)
    await places.take(inf)
    [first] = await waiting(places)
    places.give_back()
    [later] = await waiting(places)
    await first
    assert not later.done()
    assert places.taken == 1
    later.cancel()


async def test_a_place_that_nobody_takes_any_more_is_the_next_ones() -> None:
    places = Places(1)
    await places.take(inf)
    first, second = await waiting(places, 2)
    places.give_back()
    first.cancel()
    await second
    assert (first.cancelled(), places.taken) == (True, 1)


async def test_who_waits_too_long_is_told_so() -> None:
    places = Places(1)
    await places.take(inf)
    with pytest.raises(AppError) as late:
        await places.take(asyncio.get_running_loop().time())
    assert late.value.reason == REASON_DEADLINE_EXCEEDED
    assert places.load == 1


@pytest.mark.parametrize(("most", "wait"), [(1, ROUNDS), (1_024, MOST_WAITING)])
async def test_beyond_those_who_may_wait_all_are_sent_away(most: int, wait: int) -> None:
    places = Places(most)
    for _ in range(most):
        await places.take(inf)
    tasks = await waiting(places, wait)
    with pytest.raises(AppError) as full:
        await places.take(inf)
    assert (full.value.reason, full.value.retry_after) == (REASON_OVERLOADED, 1)
    places.close()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, LostError) and not end.sent for end in ends)


async def test_more_places_let_more_in() -> None:
    places = Places(1)
    await places.take(inf)
    tasks = await waiting(places, 3)
    places.most = 3
    places.admit()
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, False]
    places.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_once_closed_it_gives_none_and_is_empty_in_the_end() -> None:
    places = Places(1)
    await places.take(inf)
    places.close()
    with pytest.raises(LostError):
        await places.take(inf)
    empty = asyncio.ensure_future(places.empty())
    await asyncio.sleep(0)
    assert not empty.done()
    places.give_back()
    await empty


async def test_where_there_is_a_place_goes_before_where_there_is_none() -> None:
    full, free, crowded = Places(1), Places(9), Places(1)
    for places in (full, crowded, free, free, free):
        await places.take(inf)
    [one] = await waiting(crowded)
    assert sorted((crowded.rank, full.rank, free.rank)) == [free.rank, full.rank, crowded.rank]
    one.cancel()
