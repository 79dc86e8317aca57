"""`leaky migrate` as a process, and what all commands say of a store that cannot be."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mesh.cli.running import system_environment

if TYPE_CHECKING:
    from tests.mesh.cli.conftest import Leaky

COMMANDS = (
    ("migrate", "--service", "auth"),
    ("migrate", "--check"),
    ("admin", "list"),
    ("admin", "client", "list"),
    ("serve", "auth"),
)


def ours(data: Path) -> dict[str, str]:
    """Ports of the test's own, for the one that serves."""
    env = system_environment(data)
    return {name: text for name, text in env.items() if name.startswith("LEAKY_")}


def test_all_stores_are_brought_to_the_newest_revision(leaky: "Leaky") -> None:
    assert leaky("migrate", "--check").returncode == 1
    assert leaky("migrate").returncode == 0
    assert leaky("migrate", "--check").returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_of_another_kind_is_refused_in_one_line(
    leaky: "Leaky", tmp_path: Path, command: tuple[str, ...]
) -> None:
    refused = leaky(*command, **ours(tmp_path / "data"), LEAKY_AUTH_STORE="mysql://h/db")
    assert refused.returncode in {1, 2}
    [line] = [line for line in refused.stderr.splitlines() if line.startswith("leaky: ")]
    assert "no store for mysql://" in line
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_no_database_is_refused_in_one_line(
    leaky: "Leaky", tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "auth.db"
    file.write_text("no database " * 1000)
    refused = leaky(*command, **ours(tmp_path / "data"))
    assert refused.returncode in {1, 2}
    [line] = [line for line in refused.stderr.splitlines() if line.startswith("leaky: ")]
    assert f"{file} cannot be used: file is not a database" in line
    assert "Traceback" not in refused.stderr
