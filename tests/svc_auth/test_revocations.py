import asyncio
from typing import Any

import pytest

from svc_auth.domain.revocation import Kind
from svc_auth.revocations import Broadcaster

pytestmark = pytest.mark.anyio


async def test_a_watcher_hears_at_once_that_it_is_heard(clock: Any) -> None:
    first = await anext(Broadcaster(clock).watch())
    assert (first.kind, first.subject, first.at) == (Kind.HEARTBEAT, "", clock.now)


async def test_every_watcher_hears_everything_in_order_from_its_start_on(clock: Any) -> None:
    broadcaster = Broadcaster(clock)
    early = broadcaster.watch()
    broadcaster.publish(Kind.API_KEY, "k")
    late = broadcaster.watch()
    broadcaster.publish(Kind.MEMBERSHIP, "o/u")
    broadcaster.publish(Kind.USER, "u")
    heard = [(await anext(early)).subject for _ in range(4)]
    assert heard == ["", "k", "o/u", "u"]
    assert [(await anext(late)).subject for _ in range(3)] == ["", "o/u", "u"]


async def test_a_waiting_watcher_is_woken(clock: Any) -> None:
    broadcaster = Broadcaster(clock)
    watcher = broadcaster.watch()
    await anext(watcher)
    waiting = asyncio.ensure_future(anext(watcher))
    await asyncio.sleep(0)
    broadcaster.publish(Kind.API_KEY, "k")
    assert (await waiting).subject == "k"


async def test_a_watcher_that_falls_behind_is_ended_and_the_others_are_not(clock: Any) -> None:
    broadcaster = Broadcaster(clock, pending=2)
    slow, quick = broadcaster.watch(), broadcaster.watch()
    for subject in ("a", "b"):
        await anext(quick)
        broadcaster.publish(Kind.API_KEY, subject)
    assert [told async for told in slow] == []
    assert (await anext(quick)).subject == "b"
    broadcaster.publish(Kind.API_KEY, "c")
    assert (await anext(quick)).subject == "c"


async def test_who_left_is_told_nothing_more(clock: Any) -> None:
    broadcaster = Broadcaster(clock)
    watcher = broadcaster.watch()
    watcher.close()
    watcher.close()
    broadcaster.publish(Kind.API_KEY, "k")
    assert [told async for told in watcher] == []


async def test_the_heart_beats_every_second_and_with_it_all_watchers_end(clock: Any) -> None:
    slept: list[float] = []
    ticks: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await ticks.get()

    broadcaster = Broadcaster(clock, sleep=sleep)
    watcher = broadcaster.watch()
    await anext(watcher)
    beating = asyncio.ensure_future(broadcaster.run())
    for _ in range(3):
        ticks.put_nowait(None)
        assert (await anext(watcher)).kind is Kind.HEARTBEAT
    assert set(slept) == {1.0}
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert [told async for told in watcher] == []
