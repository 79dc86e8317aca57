import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import model_validator
from structlog.testing import capture_logs

from mesh.settings import Live, MeshSettings, Section, live
from mesh.settings.source import FILE, SettingsError

pytestmark = pytest.mark.anyio


class Row(Section):
    rank: int = live(0)
    fixed: int = 0


class Own(Section):
    size: int = live(1, ge=1)
    fixed: int = 1
    rows: dict[str, Row] = {"a": Row()}  # noqa: RUF012 pydantic copies it


class OwnSettings(MeshSettings):
    own: Own = Own()

    @model_validator(mode="after")
    def _fits(self) -> "OwnSettings":
        if self.own.size > 10 * self.own.fixed:
            raise ValueError("own.size is past ten times own.fixed")
        return self


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Live[OwnSettings]]:
    def made(**env: str) -> Live[OwnSettings]:
        return Live.read(OwnSettings, {"LEAKY_DATA": str(tmp_path), **env})

    return made


Make = Callable[..., Live[OwnSettings]]


def refused() -> float:
    return REGISTRY.get_sample_value("settings_refused_total") or 0


def write(folder: Path, **values: Any) -> None:
    """As `leaky config set` writes: a new file in the old one's place."""
    draft = folder / "draft"
    draft.write_text(json.dumps({f"own.{name}": value for name, value in values.items()}))
    draft.replace(folder / FILE)


def test_what_is_live_changes_and_what_is_not_stays_and_is_named(make: Make) -> None:
    settings = make()
    with capture_logs() as logs:
        settings.apply({"own.size": "5", "own.fixed": "9", "bind-address": "127.0.0.2"})
    assert (settings.current.own.size, settings.current.own.fixed) == (5, 1)
    assert settings.current.bind_address == "127.0.0.1"
    warned = [log["setting"] for log in logs if "restart" in log["event"]]
    assert sorted(warned) == ["bind-address", "own.fixed"]


def test_entries_of_a_table_come_go_and_change_where_they_are_live(make: Make) -> None:
    settings = make()
    settings.apply({"own.rows.b.rank": "3", "own.rows.a.rank": "2", "own.rows.a.fixed": "7"})
    assert settings.current.own.rows == {"a": Row(rank=2, fixed=0), "b": Row(rank=3)}
    settings.apply({})
    assert settings.current.own.rows == {"a": Row()}


def test_the_environment_still_wins(make: Make) -> None:
    settings = make(LEAKY_OWN_SIZE="4")
    settings.apply({"own.size": "5"})
    assert settings.current.own.size == 4


def test_a_value_that_does_not_fit_changes_nothing_and_is_counted(make: Make) -> None:
    settings = make()
    settings.apply({"own.size": "3"})
    before, kept = refused(), settings.current
    with capture_logs() as logs:
        settings.apply({"own.size": "0", "deadlines.edge": "9s"})
    assert settings.current is kept
    assert refused() == before + 1
    assert next(log["error"] for log in logs).startswith("own.size: ")


def test_live_values_that_do_not_go_with_what_stays_are_refused(make: Make) -> None:
    settings = make()
    before = refused()
    settings.apply({"own.size": "50", "own.fixed": "5"})
    assert (settings.current.own.size, refused()) == (1, before + 1)


def test_listeners_hear_of_each_change_and_of_no_refusal(make: Make) -> None:
    settings = make()
    heard: list[int] = []
    settings.on_change(lambda changed: heard.append(changed.own.size))
    settings.apply({"own.size": "2"})
    settings.apply({"own.size": "-2"})
    settings.apply({"own.size": "3"})
    assert heard == [2, 3]


class Watch:
    """Follows a file, one look at a time."""

    def __init__(self, settings: Live[OwnSettings]) -> None:
        self._looks = asyncio.Semaphore(0)
        self._looked = asyncio.Semaphore(0)
        self._task = asyncio.ensure_future(settings.follow(self._pause))

    async def _pause(self, _seconds: float) -> None:
        self._looked.release()
        await self._looks.acquire()

    async def look(self) -> None:
        await self._looked.acquire()
        self._looks.release()
        await self._looked.acquire()
        self._looked.release()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_a_changed_file_is_taken_up(make: Make, tmp_path: Path) -> None:
    write(tmp_path, size=2)
    settings = make()
    assert settings.current.own.size == 2
    watch = Watch(settings)
    await watch.look()
    for size in (3, 4):
        write(tmp_path, size=size)
        await watch.look()
        assert settings.current.own.size == size
    (tmp_path / FILE).unlink()
    await watch.look()
    assert settings.current.own.size == 1
    await watch.end()


async def test_a_change_between_the_reading_and_the_watch_is_not_missed(
    make: Make, tmp_path: Path
) -> None:
    settings = make()
    write(tmp_path, size=6)
    watch = Watch(settings)
    await watch.look()
    assert settings.current.own.size == 6
    await watch.end()


async def test_a_file_that_did_not_change_is_not_read_again(make: Make, tmp_path: Path) -> None:
    write(tmp_path, size=2)
    settings = make()
    heard: list[OwnSettings] = []
    settings.on_change(heard.append)
    watch = Watch(settings)
    for _ in range(3):
        await watch.look()
    assert heard == []
    await watch.end()


async def test_a_bad_file_keeps_the_last_good_values_until_a_good_one_comes(
    make: Make, tmp_path: Path
) -> None:
    write(tmp_path, size=2)
    settings = make()
    watch = Watch(settings)
    before = refused()
    for count, content in enumerate(("{", "[]", '{"own.size": "none"}'), start=1):
        (tmp_path / FILE).write_text(content)
        await watch.look()
        assert (settings.current.own.size, refused()) == (2, before + count)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    await watch.look()
    assert (settings.current.own.size, refused()) == (2, before + 4)
    (tmp_path / FILE).rmdir()
    write(tmp_path, size=3)
    await watch.look()
    assert settings.current.own.size == 3
    await watch.end()


def at_odds() -> float:
    return REGISTRY.get_sample_value("settings_source_refused") or 0


def test_operators_see_that_the_source_is_refused_until_it_is_mended(make: Make) -> None:
    settings = make()
    assert settings.apply({"own.size": "3"})
    assert at_odds() == 0
    assert not settings.apply({"own.size": "none"})
    assert not settings.apply({"own.size": "0"})
    assert at_odds() == 1
    assert settings.apply({"own.size": "3"})
    assert at_odds() == 0


def test_the_file_does_not_say_where_settings_are(make: Make, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"registry": "consul://127.0.0.1:8500"}))
    with pytest.raises(SettingsError, match="LEAKY_REGISTRY"):
        make()
    (tmp_path / FILE).write_text(json.dumps({"registry": "static://"}))
    assert make().current.registry == "static://"


CONSUL = {"LEAKY_REGISTRY": "consul://127.0.0.1:1"}


def test_what_all_processes_share_is_not_asked_of_consul(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"log.level": "debug"}))
    settings = Live.read(MeshSettings, {"LEAKY_DATA": str(tmp_path), **CONSUL})
    assert settings.current.log.level == "info"


def test_a_services_settings_are_not_taken_for_defaults_when_it_is_not_named() -> None:
    with pytest.raises(ValueError, match="whose are asked for"):
        Live.read(OwnSettings, CONSUL)
