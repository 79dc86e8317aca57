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


def test_users_are_looked_after_by_name(leaky: "Leaky") -> None:
    made = leaky(*WHO, stdin=f"{PASSWORD}\n").stdout
    user_id = made.split()[-1]
    disabled = leaky("admin", "disable", "ROOT")
    assert (disabled.returncode, disabled.stdout) == (0, "ROOT is disabled\n")
    listed = leaky("admin", "list")
    (row,) = [line for line in listed.stdout.splitlines() if user_id in line]
    for cell in ("root", "root@example.com", "ADMIN USER", "disabled"):
        assert cell in row
    assert leaky("admin", "enable", user_id).returncode == 0
    changed = leaky("admin", "password", "root", "--password-stdin", stdin="short\n")
    assert changed.returncode == 1
    assert changed.stderr == "leaky: password must have at least 8 characters\n"
    unknown = leaky("admin", "grant", "nobody", "ADMIN")
    assert (unknown.returncode, unknown.stderr) == (1, "leaky: user not found\n")
