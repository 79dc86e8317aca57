import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mesh.settings.secrets import secret
from mesh.settings.source import SettingsError


def test_a_given_secret_wins_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "mesh.secret"
    assert secret(path, "from the settings") == "from the settings"
    assert not path.exists()


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "mesh.secret"
    made = secret(path)
    assert len(made) >= 43
    assert secret(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["mesh.secret"]


def test_two_secrets_differ(tmp_path: Path) -> None:
    assert secret(tmp_path / "a") != secret(tmp_path / "b")


def test_a_file_open_to_others_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "mesh.secret"
    path.write_text("kept as it was given\n")
    path.chmod(0o644)
    assert secret(path) == "kept as it was given"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "mesh.secret"
    path.touch()
    with pytest.raises(SettingsError, match="empty"):
        secret(path)


def test_a_folder_that_cannot_be_made_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be read or made"):
        secret(tmp_path / "file" / "mesh.secret")


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    path = tmp_path / "mesh.secret"
    code = f"""
import pathlib
from mesh.settings.secrets import secret
print("ready", flush=True)
input()
print(secret(pathlib.Path({str(path)!r})))
"""
    children = [
        subprocess.Popen(  # noqa: S603 our own interpreter
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=30)[0].strip() for child in children]
    assert len(set(answers)) == 1
    assert answers[0] == path.read_text()
