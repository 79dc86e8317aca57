"""`leaky admin create` as a process, on auth's own store."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.mesh.cli.conftest import Leaky

WHO = ("admin", "create", "--username", "root", "--email", "root@example.com", "--password-stdin")
PASSWORD = "correct horse battery 7"


def test_an_admin_is_made_once(leaky: "Leaky", tmp_path: Path) -> None:
    made = leaky(*WHO, stdin=f"{PASSWORD}\n")
    assert made.returncode == 0
    assert made.stdout.startswith("root is an ADMIN, userId ")
    again = leaky(*WHO, stdin=f"{PASSWORD}\n")
    assert again.returncode == 1
    assert again.stderr.startswith("leaky: ")
    assert again.stderr.count("\n") == 1
    for file in (tmp_path / "data").iterdir():
        assert PASSWORD.encode() not in file.read_bytes()


def test_without_a_password_nobody_is_made(leaky: "Leaky") -> None:
    assert leaky(*WHO, stdin="\n").returncode == 2
    asked = leaky(*WHO[:-1])
    assert (asked.returncode, "--password-stdin" in asked.stderr) == (2, True)


def test_data_of_a_newer_version_is_refused(leaky: "Leaky", tmp_path: Path) -> None:
    leaky(*WHO, stdin=f"{PASSWORD}\n")
    with sqlite3.connect(tmp_path / "data" / "auth.db") as database:
        database.execute("UPDATE alembic_version_auth SET version_num = '9999'")
    database.close()
    refused = leaky(*WHO, stdin=f"{PASSWORD}\n")
    assert (refused.returncode, "9999" in refused.stderr) == (1, True)
    assert "Traceback" not in refused.stderr
