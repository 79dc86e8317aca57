"""What every source of settings promises, over the file and over Consul KV."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from anyio import to_thread

from mesh.consul.kv import Change, Folder, Kv, folder_of
from mesh.private_file import write_private
from mesh.settings.file import FileSource
from mesh.settings.kv import KvSource
from mesh.settings.names import names_of
from mesh.settings.remote import LastGood
from mesh.settings.source import FILE, SettingsError
from mesh.settings.sources import Source
from tests.mesh.settings.own import OwnSettings, Taken, at_once, check, until
from tests.parts.consul import Corner, corner
from tests.parts.urls import CONSUL, backends

pytestmark = pytest.mark.anyio


class Place(Protocol):
    """Where settings are kept."""

    def source(self) -> Source:
        """As a process that starts has it."""
        ...

    async def put(self, **values: str) -> None:
        """Has it hold these below `own`, and nothing else, from one moment to the next."""
        ...

    async def spoil(self) -> None:
        """Has it hold what no such place may hold."""
        ...


@dataclass(frozen=True)
class InFile:
    data: Path

    def source(self) -> Source:
        return FileSource(self.data)

    async def put(self, **values: str) -> None:
        write_private(self.data / FILE, json.dumps(dotted(values)))

    async def spoil(self) -> None:
        write_private(self.data / FILE, "[]")


@dataclass(frozen=True)
class InConsul:
    here: Corner
    data: Path

    @property
    def service(self) -> str:
        return f"{self.here.prefix}own"

    def source(self) -> Source:
        names, last_good = list(names_of(OwnSettings)), LastGood(self.data, "own")
        return KvSource(opened=self.opened, names=names, last_good=last_good)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Folder]:
        # A client of its own: a start has a loop of its own.
        async with corner(self.here.registry, self.here.token) as again:
            yield Folder(Kv(again.client), self.service)

    async def put(self, **values: str) -> None:
        await self._hold(dotted(values))

    async def spoil(self) -> None:
        await self._hold({"mesh.secret": "hunter2-hunter2-hunter2"})

    async def _hold(self, values: Mapping[str, str]) -> None:
        kv, folder = Kv(self.here.client), folder_of(self.service)
        stored = await kv.folder(folder)
        changes = [
            Change(key=f"{folder}/{name}", text=values.get(name), index=stored.indexes.get(name, 0))
            for name in {*values, *stored.values}
        ]
        if changes:
            assert await kv.change(changes)


def dotted(values: Mapping[str, str]) -> dict[str, str]:
    return {f"own.{name}": text for name, text in values.items()}


@asynccontextmanager
async def in_file(data: Path) -> AsyncIterator[Place]:
    yield InFile(data)


@asynccontextmanager
async def in_consul(data: Path) -> AsyncIterator[Place]:
    async with corner() as here:
        place = InConsul(here, data)
        try:
            yield place
        finally:
            await here.client.kv.delete(f"{folder_of(place.service)}/", recurse=True)


@pytest.fixture(params=backends("file", consul=CONSUL))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    opened: AbstractAsyncContextManager[Place]
    opened = {"file": in_file, "consul": in_consul}[request.param](tmp_path)
    async with opened as made:
        yield made


async def begun(source: Source) -> tuple[OwnSettings, list[str]]:
    """What a start makes of the values, and what it refuses; it blocks, so it is on no loop."""
    refusals: list[str] = []

    def begin() -> OwnSettings:
        return source.begin(check, lambda error: refusals.append(str(error)))

    return await to_thread.run_sync(begin), refusals


@asynccontextmanager
async def followed(source: Source) -> AsyncIterator[Taken]:
    taken = Taken()
    task = asyncio.ensure_future(source.follow(taken, at_once))
    try:
        yield taken
        assert not task.done()
    finally:
        task.cancel()
        [ending] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ending, asyncio.CancelledError)


async def test_where_nothing_is_kept_all_is_at_its_default(place: Place) -> None:
    assert await begun(place.source()) == (OwnSettings(), [])


async def test_a_start_has_what_is_kept_and_so_has_the_next(place: Place) -> None:
    await place.put(size="2", other="3")
    for _ in range(2):
        settings, refusals = await begun(place.source())
        assert (settings.own.size, settings.own.other, refusals) == (2, 3, [])


async def test_a_first_start_on_what_does_not_fit_is_refused_by_name(place: Place) -> None:
    await place.put(size="0")
    with pytest.raises(SettingsError, match=r"own\.size"):
        await begun(place.source())
    await place.spoil()
    with pytest.raises(SettingsError):
        await begun(place.source())


async def test_a_name_that_no_setting_has_hurts_nobody(place: Place) -> None:
    await place.put(size="2", sise="3")
    assert (await begun(place.source()))[0].own.size == 2
    source = place.source()
    await begun(source)
    async with followed(source) as taken:
        await place.put(size="4", sise="5")
        await until(lambda: taken.values)
        assert check(taken.values[-1]).own.size == 4
    assert taken.refusals == []


async def test_changes_are_told_whole_and_in_their_order(place: Place) -> None:
    await place.put(size="2")
    source = place.source()
    await begun(source)
    async with followed(source) as taken:
        for size in ("3", "4"):
            await place.put(size=size, other=size)
            await until(lambda: taken.values and taken.values[-1]["own.size"] == size)  # noqa: B023
    assert taken.values == [dotted({"size": size, "other": size}) for size in ("3", "4")]
    assert taken.refusals == []


async def test_what_is_taken_away_is_told_by_its_absence(place: Place) -> None:
    await place.put(size="2", other="3")
    source = place.source()
    await begun(source)
    async with followed(source) as taken:
        await place.put(other="3")
        await until(lambda: taken.values)
        await place.put()
        await until(lambda: len(taken.values) > 1)
    assert taken.values == [{"own.other": "3"}, {}]


async def test_a_change_between_the_start_and_the_watch_is_not_missed(place: Place) -> None:
    await place.put(size="2")
    source = place.source()
    await begun(source)
    await place.put(size="3")
    async with followed(source) as taken:
        await until(lambda: taken.values)
    assert taken.values == [{"own.size": "3"}]


async def test_what_the_start_has_taken_is_no_change(place: Place) -> None:
    await place.put(size="2")
    source = place.source()
    await begun(source)
    async with followed(source) as taken, followed(place.source()) as without_a_start:
        # Who has looked later has heard of it.
        await until(lambda: without_a_start.values)
        await place.put(size="3")
        await until(lambda: taken.values and taken.values[-1] == {"own.size": "3"})
    assert taken.values == [{"own.size": "3"}]
    assert without_a_start.values[0] == {"own.size": "2"}


async def test_what_is_refused_is_told_once_and_the_next_good_values_are_taken(
    place: Place,
) -> None:
    await place.put(size="2")
    source = place.source()
    await begun(source)
    async with followed(source) as taken:
        await place.put(size="0")
        await until(lambda: taken.refusals)
        await place.spoil()
        await until(lambda: len(taken.refusals) > 1)
        assert taken.values == []
        await place.put(size="3")
        await until(lambda: taken.values)
    assert taken.values == [{"own.size": "3"}]
    assert len(taken.refusals) == 2
    assert "own.size" in taken.refusals[0]
    assert "hunter2" not in str(taken.refusals)


async def test_each_of_two_that_follow_is_told(place: Place) -> None:
    await place.put(size="2")
    sources = [place.source() for _ in range(2)]
    for source in sources:
        await begun(source)
    async with followed(sources[0]) as first, followed(sources[1]) as second:
        await place.put(size="3")
        await until(lambda: first.values and second.values)
    assert first.values == second.values == [{"own.size": "3"}]
