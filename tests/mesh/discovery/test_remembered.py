import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mesh.discovery.remembered import Remembered


def test_what_is_kept_is_there_after_a_restart_and_for_its_owner_alone(tmp_path: Path) -> None:
    Remembered(tmp_path).write("token", ("a:1", "b:2"))
    assert Remembered(tmp_path).read("token") == ("a:1", "b:2")
    assert Remembered(tmp_path).read("auth") == ()
    (kept,) = (tmp_path / "discovery").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(("text", "known"), [("{", ()), ("{}", ()), ('["a:1", 2]', ("a:1",))])
def test_a_file_that_is_damaged_is_as_good_as_none(
    tmp_path: Path, text: str, known: tuple[str, ...]
) -> None:
    (tmp_path / "discovery").mkdir()
    (tmp_path / "discovery" / "token.json").write_text(text)
    assert Remembered(tmp_path).read("token") == known


def test_a_disk_that_takes_nothing_is_told_of_once(tmp_path: Path) -> None:
    (tmp_path / "discovery").touch()
    remembered = Remembered(tmp_path)
    with capture_logs() as logs:
        for _ in range(3):
            remembered.write("token", ("a:1",))
    assert [log["log_level"] for log in logs] == ["warning"]
    assert remembered.read("token") == ()
