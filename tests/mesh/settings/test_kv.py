"""How settings kept elsewhere are followed; tests/full/consul does the same on a real Consul."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mesh.settings.kv import KvSource
from mesh.settings.names import names_of
from mesh.settings.remote import LastGood, SourceAwayError
from mesh.settings.source import SettingsError
from tests.mesh.settings.own import OwnSettings, Taken, at_once, check, until
from tests.mesh.settings.shelf import Shelf

pytestmark = pytest.mark.anyio


def source(shelf: Shelf, folder: Path, patience: float = 0.0) -> KvSource:
    return KvSource(
        opened=shelf.opened,
        names=list(names_of(OwnSettings)),
        last_good=LastGood(folder, "own"),
        patience=patience,
    )


@asynccontextmanager
async def followed(shelf: Shelf, folder: Path) -> AsyncIterator[Taken]:
    """Followed without a start, so that everything is told."""
    taken = Taken()
    task = asyncio.ensure_future(source(shelf, folder).follow(taken, at_once))
    yield taken
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_token_that_cannot_be_read_for_a_moment_is_an_interruption_like_others(
    tmp_path: Path,
) -> None:
    shelf, taken, tries = Shelf(size="2"), Taken(), 0

    @asynccontextmanager
    async def opened() -> AsyncIterator[Shelf]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise SettingsError("the Consul token cannot be read")
        yield shelf

    following = KvSource(
        opened=opened, names=list(names_of(OwnSettings)), last_good=LastGood(tmp_path, "own")
    ).follow(taken, at_once)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(following)
        await until(lambda: taken.values)
        task.cancel()
    assert taken.values == [{"own.size": "2"}]


async def test_changes_that_follow_each_other_closely_are_taken_as_one(tmp_path: Path) -> None:
    shelf = Shelf(size="1")
    async with followed(shelf, tmp_path) as taken:
        await until(lambda: taken.values)
        for size in range(2, 6):
            shelf.put(size=str(size))
            await asyncio.sleep(0)
        await until(lambda: len(taken.values) > 1)
        assert taken.values[1:] == [{"own.size": "5"}]


async def test_a_storm_of_changes_does_not_put_it_off_forever(tmp_path: Path) -> None:
    shelf = Shelf()
    async with followed(shelf, tmp_path) as taken:
        async with asyncio.timeout(10):
            size = 1
            while not [values for values in taken.values if values]:
                size += 1
                shelf.put(size=str(size))
                await asyncio.sleep(0.001)


async def test_the_same_values_again_are_no_change(tmp_path: Path) -> None:
    shelf = Shelf(size="2")
    async with followed(shelf, tmp_path) as taken:
        await until(lambda: taken.values)
        reads = shelf.reads
        shelf.put(size="2")
        await until(lambda: shelf.reads > reads + 2)
        assert len(taken.values) == 1


async def test_a_refusal_is_counted_once_however_often_the_connection_breaks(
    tmp_path: Path,
) -> None:
    shelf = Shelf(size="none")
    async with followed(shelf, tmp_path) as taken:
        await until(lambda: taken.refusals)
        with capture_logs() as logs:
            for _ in range(3):
                shelf.lose()
                seen = shelf.reads
                await until(lambda: shelf.reads > seen + 3)  # noqa: B023
                shelf.away = False
                await until(lambda: "again" in logs[-1]["event"])
        assert (len(taken.refusals), taken.values) == (1, [])
        assert [log["log_level"] for log in logs] == ["warning", "info"] * 3
        shelf.put(size="3")
        await until(lambda: LastGood(tmp_path, "own").read() == {"own.size": "3"})
        assert taken.values == [{"own.size": "3"}]


async def test_an_index_that_goes_back_is_begun_anew(tmp_path: Path) -> None:
    shelf = Shelf(size="2")
    async with followed(shelf, tmp_path) as taken:
        await until(lambda: taken.values)
        shelf.restore(3, size="9")
        await until(lambda: taken.values[-1] == {"own.size": "9"})
        shelf.put(size="10")
        await until(lambda: taken.values[-1] == {"own.size": "10"})


async def test_what_was_taken_is_kept_even_when_the_process_ends_meanwhile(tmp_path: Path) -> None:
    shelf = Shelf(size="2")
    async with followed(shelf, tmp_path) as taken:
        await until(lambda: taken.values)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert LastGood(tmp_path, "own").read() == {"own.size": "2"}


async def test_a_copy_that_cannot_be_kept_is_said_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "own.kv.json").mkdir()
    (tmp_path / "own.kv.json" / "in the way").touch()
    shelf = Shelf(size="2")
    with capture_logs() as logs:
        async with followed(shelf, tmp_path) as taken:
            await until(lambda: [log for log in logs if "cannot be kept" in log["event"]])
            shelf.put(size="3")
            await until(lambda: taken.values[-1] == {"own.size": "3"})


# A start blocks, so it is on no loop.


def begin(shelf: Shelf, folder: Path, patience: float = 0.0) -> tuple[OwnSettings, list[str]]:
    refusals: list[str] = []
    settings = source(shelf, folder, patience).begin(
        check, lambda error: refusals.append(str(error))
    )
    return settings, refusals


def away() -> Shelf:
    shelf = Shelf()
    shelf.away = True
    return shelf


def test_a_start_without_anything_to_begin_with_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.settings.kv.SHORT_PATIENCE_SECONDS", 0.3)
    shelf = away()
    with pytest.raises(SourceAwayError, match="nobody answers"):
        begin(shelf, tmp_path, patience=3.0)
    assert shelf.reads > 1
    assert list(tmp_path.iterdir()) == []


def test_a_start_goes_on_where_the_last_run_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.settings.kv.SHORT_PATIENCE_SECONDS", 0.1)
    assert begin(Shelf(size="5"), tmp_path)[0].own.size == 5
    settings, refusals = begin(away(), tmp_path, patience=3600)
    assert (settings.own.size, refusals) == (5, [])
    settings, refusals = begin(Shelf(size="0", other="9"), tmp_path)
    assert (settings.own.size, settings.own.other, len(refusals)) == (5, 1, 1)
    assert LastGood(tmp_path, "own").read() == {"own.size": "5"}


def test_a_first_start_on_values_that_do_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"own\.size"):
        begin(Shelf(size="0"), tmp_path)
    assert list(tmp_path.iterdir()) == []
