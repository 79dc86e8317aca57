import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_auth.domain.audit import Action, AuditEntry, SubjectKind
from svc_auth.domain.caller import SYSTEM
from svc_auth.domain.record import Record
from svc_auth.domain.revocation import Kind, Numbered, of_key, of_token
from svc_auth.revocations import PAGE, Broadcaster, Watcher
from svc_auth.stores import STORES
from svc_auth.stores.stores import AuthStores
from svc_auth.usecases import watch_revocations
from svc_auth.usecases.watch_revocations import WatchRevocations

pytestmark = pytest.mark.anyio


async def revoke(store: AuthStores, clock: Any, *subjects: str) -> None:
    entry = AuditEntry(
        caller=SYSTEM,
        action=Action.API_KEY_REVOKED,
        subject_kind=SubjectKind.API_KEY,
        subject_id="k",
        at=clock.now,
    )
    revoked = tuple(of_key(subject, at=clock.now) for subject in subjects)
    await store.revocations.revoke(Record(entry=entry, revocations=revoked))


@pytest.fixture
async def broadcaster(clock: Any, store: AuthStores) -> Broadcaster:
    made = Broadcaster(clock, store.revocations)
    await made.poll()
    return made


def heard(watcher: Watcher) -> list[str]:
    """What has come since the last time; a heartbeat is empty."""
    pending = [one.subject for one in watcher._pending]
    watcher._pending.clear()
    return pending


async def test_every_watcher_hears_everything_in_order_from_its_start_on(
    broadcaster: Broadcaster, store: AuthStores, clock: Any
) -> None:
    early = broadcaster.watch()
    await revoke(store, clock, "a")
    await broadcaster.poll()
    late = broadcaster.watch()
    await revoke(store, clock, "b", "c")
    await broadcaster.poll()
    await broadcaster.poll()
    assert heard(early) == ["a", "b", "c"]
    assert heard(late) == ["b", "c"]


async def test_what_was_revoked_before_the_start_is_no_news(store: AuthStores, clock: Any) -> None:
    await revoke(store, clock, "a")
    second = Broadcaster(clock, store.revocations)
    watcher = second.watch()
    await second.poll()
    await revoke(store, clock, "b")
    await second.poll()
    assert heard(watcher) == ["b"]


async def test_instances_on_one_store_hear_each_other(
    broadcaster: Broadcaster, store_url: str, clock: Any
) -> None:
    watcher = broadcaster.watch()
    async with STORES.open(store_url) as elsewhere:
        await revoke(elsewhere, clock, "a")
    await broadcaster.poll()
    assert heard(watcher) == ["a"]


async def test_a_waiting_watcher_is_woken(
    broadcaster: Broadcaster, store: AuthStores, clock: Any
) -> None:
    waiting = asyncio.ensure_future(anext(broadcaster.watch()))
    await asyncio.sleep(0)
    await revoke(store, clock, "k")
    await broadcaster.poll()
    assert (await waiting).subject == "k"


async def test_a_watcher_that_falls_behind_is_ended_and_the_others_are_not(
    store: AuthStores, clock: Any
) -> None:
    broadcaster = Broadcaster(clock, store.revocations, pending=2)
    await broadcaster.poll()
    slow, quick = broadcaster.watch(), broadcaster.watch()
    for subject in ("a", "b", "c"):
        await revoke(store, clock, subject)
        await broadcaster.poll()
        assert heard(quick) == [subject]
    assert [told async for told in slow] == []


async def test_who_left_is_told_nothing_more(
    broadcaster: Broadcaster, store: AuthStores, clock: Any
) -> None:
    watcher = broadcaster.watch()
    watcher.close()
    watcher.close()
    await revoke(store, clock, "k")
    await broadcaster.poll()
    assert [told async for told in watcher] == []


async def test_more_than_a_page_is_read_on_at_once(
    broadcaster: Broadcaster, store: AuthStores, clock: Any
) -> None:
    await revoke(store, clock, *map(str, range(PAGE + 1)))
    watcher = Watcher(10 * PAGE, broadcaster._leave)
    broadcaster._watchers.add(watcher)
    await broadcaster.turn()
    assert broadcaster._wake.is_set()
    await broadcaster.turn()
    assert not broadcaster._wake.is_set()
    assert [one for one in heard(watcher) if one] == [str(number) for number in range(PAGE + 1)]


async def test_the_heart_beats_every_second_and_with_it_all_watchers_end(
    store: AuthStores, clock: Any
) -> None:
    turns: asyncio.Queue[float] = asyncio.Queue()
    paused: list[float] = []

    async def pause(_wake: asyncio.Event, seconds: float) -> None:
        paused.append(seconds)
        clock.now += int(await turns.get() * 1_000_000)

    broadcaster = Broadcaster(clock, store.revocations, pause=pause)
    watcher = broadcaster.watch()
    running = asyncio.ensure_future(broadcaster.run())
    first = (await anext(watcher)).at
    for quarter in (0.25,) * 8:
        turns.put_nowait(quarter)
    beats = [(await anext(watcher)).at for _ in range(2)]
    assert [at - first for at in beats] == [1_000_000, 2_000_000]
    assert set(paused) == {0.25}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [told async for told in watcher] == []


async def test_what_is_announced_is_told_without_waiting_for_its_turn(
    store: AuthStores, clock: Any
) -> None:
    async def until_woken(wake: asyncio.Event, _seconds: float) -> None:
        await wake.wait()

    broadcaster = Broadcaster(clock, store.revocations, pause=until_woken)
    watcher = broadcaster.watch()
    running = asyncio.ensure_future(broadcaster.run())
    assert (await anext(watcher)).kind is Kind.HEARTBEAT
    await revoke(store, clock, "k")
    broadcaster.announce()
    async with asyncio.timeout(5):
        assert (await anext(watcher)).subject == "k"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Away:
    """A store of revocations that can be away."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.away = False

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise AppError(REASON_UNAVAILABLE, "the database is away")
        return getattr(self._real, name)


async def test_while_the_store_is_away_the_heart_stands_still(
    store: AuthStores, clock: Any
) -> None:
    stored = Away(store.revocations)
    broadcaster = Broadcaster(clock, stored)
    watcher = broadcaster.watch()
    await broadcaster.turn()
    assert heard(watcher) == [""]
    stored.away = True
    for _ in range(3):
        clock.now += 1_000_000
        await broadcaster.turn()
    assert heard(watcher) == []
    stored.away = False
    await revoke(store, clock, "k")
    await broadcaster.turn()
    assert heard(watcher) == ["k", ""]


async def test_what_has_long_ended_is_forgotten(
    broadcaster: Broadcaster, store: AuthStores, clock: Any
) -> None:
    await revoke(store, clock, "k")
    await broadcaster.turn()
    clock.now += 3_600_000_000
    await broadcaster.turn()
    assert await store.revocations.after(0, also=(), limit=9)
    clock.now += 700_000_000
    await broadcaster.turn()
    assert await store.revocations.after(0, also=(), limit=9) == []


async def follow(house: Any) -> AsyncIterator[Any]:
    stream: AsyncIterator[Any] = await house.watch()
    return stream


async def test_who_begins_to_watch_is_told_what_still_counts(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_revocations, "PAGE", 2)
    await revoke(house.store, house.clock, *"abc")
    entry = (await house.audited())[0]
    ended = of_token("ended", at=house.clock.now - 2, expires_at=house.clock.now)
    lasting = of_token("lasting", at=house.clock.now - 2, expires_at=house.clock.now + 1)
    await house.store.revocations.revoke(Record(entry=entry, revocations=(ended, lasting)))
    stream = await follow(house)
    told = [await anext(stream) for _ in range(5)]
    assert [one.subject for one in told] == ["a", "b", "c", "lasting", ""]
    assert told[3] == lasting
    assert told[4].kind is Kind.HEARTBEAT


async def test_nothing_falls_between_what_counts_and_the_news(house: Any) -> None:
    await revoke(house.store, house.clock, "before")
    stream = await follow(house)
    await revoke(house.store, house.clock, "meanwhile")
    await house.revocations.poll()
    told = {(await anext(stream)).subject for _ in range(4)}
    assert told == {"before", "meanwhile", ""}


async def test_a_watch_that_cannot_begin_leaves_no_watcher(house: Any) -> None:
    class Broken:
        async def standing(self, *_: Any, **__: Any) -> Sequence[Numbered]:
            raise AppError(REASON_UNAVAILABLE, "the database is away")

        async def after(self, seq: int, *, also: Collection[int], limit: int) -> Any:
            raise NotImplementedError

    before = len(house.revocations._watchers)
    log: Any = Broken()
    watch = WatchRevocations(log=log, watching=house.revocations, clock=house.clock)
    with pytest.raises(AppError):
        await watch()
    assert len(house.revocations._watchers) == before


async def test_nobody_is_told_that_all_was_told_before_it_is_known_where_the_news_begin(
    store: AuthStores, clock: Any
) -> None:
    broadcaster = Broadcaster(clock, store.revocations)
    watch = WatchRevocations(log=store.revocations, watching=broadcaster, clock=clock)
    waiting = asyncio.ensure_future(watch())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await revoke(store, clock, "between")
    await broadcaster.poll()
    told = await waiting
    assert [(await anext(told)).subject for _ in range(2)] == ["between", ""]
    await told.aclose()
