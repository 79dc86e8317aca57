"""`leaky admin client` and `leaky admin keys` as processes, on auth's own store."""

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.mesh.cli.conftest import Leaky

CREATE = ("admin", "client", "create", "--name", "My app")
WEB = ("--scope", "openid", "--redirect-uri", "https://app.example/cb")


def test_a_client_is_registered_listed_given_a_secret_and_removed(
    leaky: "Leaky", tmp_path: Path
) -> None:
    made = leaky(*CREATE, "--id", "my-app", *WEB)
    assert made.returncode == 0, made.stderr
    found = re.fullmatch(r"client_id my-app\nclient_secret (\S{43})\n", made.stdout)
    assert found is not None
    listed = leaky("admin", "client", "list")
    assert "my-app confidential, My app\n" in listed.stdout
    assert "redirect URI https://app.example/cb\n" in listed.stdout
    assert found[1] not in listed.stdout
    other = leaky("admin", "client", "secret", "my-app")
    assert re.fullmatch(r"client_secret \S{43}\n", other.stdout)
    for file in (tmp_path / "data").iterdir():
        assert found[1].encode() not in file.read_bytes()
    assert leaky("admin", "client", "remove", "my-app").returncode == 0
    assert leaky("admin", "client", "list").stdout == ""


def test_what_cannot_be_is_one_line(leaky: "Leaky") -> None:
    for refused in (
        leaky(*CREATE, "--scope", "everything", "--redirect-uri", "https://app.example/cb"),
        leaky(*CREATE, "--public", "--no-pkce", *WEB),
        leaky("admin", "client", "remove", "nobody"),
    ):
        assert refused.returncode == 1
        assert refused.stderr.startswith("leaky: ")
        assert refused.stderr.count("\n") == 1


def test_the_next_keys_are_made_and_wait(leaky: "Leaky", tmp_path: Path) -> None:
    rotated = leaky("admin", "keys", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    lines = re.findall(r"^(RS256|ES256) (\S+) signs from \S+Z on$", rotated.stdout, re.MULTILINE)
    assert [alg for alg, _ in lines] == ["RS256", "ES256"]
    # Again: the same keys still wait.
    assert leaky("admin", "keys", "rotate").stdout == rotated.stdout
    with sqlite3.connect(tmp_path / "data" / "auth.db") as database:
        count = database.execute("SELECT count(*) FROM signing_keys").fetchone()
    database.close()
    assert count == (4,)
