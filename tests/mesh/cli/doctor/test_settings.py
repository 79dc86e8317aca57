"""`leaky doctor` about settings, names, secrets, files, ports and disk."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mesh.cli.data import held, service_lock
from mesh.cli.doctor import machine
from mesh.cli.doctor.checks import examine
from mesh.cli.doctor.finding import Finding, Level
from mesh.cli.services import NAMES
from tests.mesh.cli.conftest import Leaky
from tests.mesh.cli.running import system_environment, up
from tests.ports import free_ports

pytestmark = pytest.mark.anyio
Look = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def look(data: Path) -> Look:
    """The findings that are not OK, on ports and a data folder of the test's own."""
    ports = {k: v for k, v in system_environment(data).items() if k.startswith("LEAKY_")}

    async def examined(env: Mapping[str, str] | None = None) -> list[Finding]:
        found = await examine(ports | dict(env or {}), NAMES)
        return [finding for finding in found if finding.level is not Level.OK]

    return examined


def settings_file(data: Path, values: Mapping[str, str]) -> None:
    path = data / "settings.json"
    path.write_text(json.dumps(values))
    path.chmod(0o600)


async def test_nothing_is_wrong_with_defaults(look: Look) -> None:
    assert await look() == []


async def test_a_value_that_services_refuse(look: Look) -> None:
    (found,) = await look({"LEAKY_MESH_MAX_IN_FLIGHT": "many"})
    assert found.level is Level.FAIL
    assert "mesh.max-in-flight" in found.what


async def test_a_value_that_one_service_refuses_leaves_the_others_to_be_looked_at(
    look: Look, data: Path
) -> None:
    (data / "auth.db").write_text("no database at all, but long enough to be taken for one" * 20)
    refused, broken = await look({"LEAKY_TOKEN_BUCKET_CAPACITY": "0"})
    assert (refused.level, refused.subject) == (Level.FAIL, "token")
    assert (broken.level, broken.subject) == (Level.FAIL, "auth.store")
    assert "not a database" in broken.what


async def test_a_settings_file_that_is_none(look: Look, data: Path) -> None:
    (data / "settings.json").write_text("{")
    (found, *_) = await look()
    assert found.level is Level.FAIL
    assert "is not JSON" in found.what


async def test_the_variable_of_an_option_is_known(look: Look) -> None:
    assert await look({"LEAKY_TOKEN": "abc"}) == []


async def test_a_misspelt_variable(look: Look) -> None:
    (found,) = await look({"LEAKY_TOKEN_BUKET_CAPACITY": "5"})
    assert (found.level, found.subject) == (Level.WARN, "LEAKY_TOKEN_BUKET_CAPACITY")
    assert "LEAKY_TOKEN_BUCKET_CAPACITY" in found.advice


async def test_a_misspelt_name_in_the_file(look: Look, data: Path) -> None:
    settings_file(data, {"token.buket.capacity": "5"})
    (found,) = await look()
    assert (found.level, found.subject) == (Level.WARN, "token.buket.capacity")
    assert "token.bucket.capacity" in found.advice


async def test_a_free_part_of_a_name_is_known(look: Look, data: Path) -> None:
    settings_file(data, {"gateway.rate-limit.routes./api/v1/auth": "5"})
    assert await look({"LEAKY_PROVIDERS_MISTRAL_BASE_URL": "http://127.0.0.1:1"}) == []


# Who else could get at it.


async def test_a_playground_that_others_can_reach(look: Look) -> None:
    env = {"LEAKY_PROFILE": "local", "LEAKY_BIND_ADDRESS": "0.0.0.0"}  # noqa: S104
    found = await look(env)
    assert any("would let anyone" in one.what and one.level is Level.FAIL for one in found)
    (found,) = await look(env | {"LEAKY_ALLOW_INSECURE_BIND": "1"})
    assert (found.level, found.subject) == (Level.WARN, "profile")


async def test_secure_without_a_token_for_metrics(look: Look) -> None:
    env = {"LEAKY_BIND_ADDRESS": "0.0.0.0"}  # noqa: S104
    (found,) = await look(env)
    assert (found.level, found.subject) == (Level.WARN, "actuator.token")
    assert await look(env | {"LEAKY_ACTUATOR_TOKEN": "a-long-enough-token"}) == []


async def test_a_password_in_the_file_is_told_of_and_not_shown(look: Look, data: Path) -> None:
    url = "redis://:hunter2hunter2@127.0.0.1:1"
    settings_file(data, {"token.bucket.store": url})
    found = await look()
    assert [one.subject for one in found] == ["token.bucket.store"] * 2
    assert found[0].level is Level.WARN
    assert "LEAKY_TOKEN_BUCKET_STORE" in found[0].advice
    assert "hunter2" not in repr(found)


async def test_a_data_folder_that_lets_others_in(look: Look, data: Path) -> None:
    (data / "mesh.secret").write_text("s" * 32)
    (data / "mesh.secret").chmod(0o644)
    assert await look() == [], "behind a closed folder its mode is nobody's business"
    os.chmod(data, 0o755)  # noqa: S103, PTH101 as somebody might have done
    assert {(one.level, one.subject) for one in await look()} == {
        (Level.WARN, str(data)),
        (Level.WARN, str(data / "mesh.secret")),
    }


@pytest.mark.parametrize("text", ["", "short"])
async def test_a_made_secret_that_services_would_refuse(look: Look, data: Path, text: str) -> None:
    (data / "auth.pepper").write_text(text)
    (data / "auth.pepper").chmod(0o600)
    (found,) = await look()
    assert (found.level, found.subject) == (Level.FAIL, str(data / "auth.pepper"))
    assert "LEAKY_AUTH_API_KEY_PEPPER" in found.advice


async def test_keys_in_the_folder_of_one_instance_alone(look: Look) -> None:
    found = await look({"LEAKY_AUTH_STORE": "postgresql://u:p@127.0.0.1:1/d"})
    warned = [one.subject for one in found if one.level is Level.WARN]
    assert warned == ["auth.api-key.pepper", "auth.keys.encryption-key"]


# The machine.


async def test_a_port_that_is_taken(look: Look, taken_port: int) -> None:
    (found,) = await look({"LEAKY_AUTH_HTTP_PORT": str(taken_port)})
    assert (found.level, found.subject) == (Level.FAIL, "ports")
    assert f"port {taken_port} (auth.http-port) is taken" in found.what
    assert "LEAKY_AUTH_HTTP_PORT" in found.advice


async def test_a_port_that_is_chosen_twice(look: Look) -> None:
    port = str(free_ports(1)[0])
    (found,) = await look({"LEAKY_AUTH_HTTP_PORT": port, "LEAKY_TOKEN_HTTP_PORT": port})
    assert found.level is Level.FAIL
    assert "is token.http-port too" in found.what


async def test_the_port_of_a_service_that_runs_may_be_taken(
    look: Look, data: Path, taken_port: int
) -> None:
    with held(service_lock(data, "auth"), "auth"):
        found = await look({"LEAKY_AUTH_HTTP_PORT": str(taken_port)})
    # It runs, and nobody answers where its health is asked.
    assert [(one.level, one.subject) for one in found] == [(Level.FAIL, "auth")]


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("mebibytes", "level"), [(50, Level.FAIL), (500, Level.WARN), (5000, None)]
)
async def test_a_disk_that_is_almost_full(
    monkeypatch: pytest.MonkeyPatch, look: Look, mebibytes: int, level: Level | None
) -> None:
    # A disk of this test's own would take root's rights.
    free = mebibytes * machine.MEBIBYTE
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(free, 0, free))
    assert [one.level for one in await look()] == ([level] if level else [])


# What is embedded.


async def test_a_store_that_nothing_opens(look: Look) -> None:
    (found,) = await look({"LEAKY_TOKEN_BUCKET_STORE": "mongodb://127.0.0.1"})
    assert (found.level, found.subject) == (Level.FAIL, "token.bucket.store")
    assert "memory://" in found.advice


async def test_a_database_file_that_is_there(look: Look, data: Path) -> None:
    sqlite3.connect(data / "token.db").close()
    (data / "token.db").chmod(0o600)
    assert await look() == []


async def test_a_database_file_whose_folder_is_not_there(look: Look, tmp_path: Path) -> None:
    (found,) = await look({"LEAKY_TOKEN_STORE": f"sqlite:///{tmp_path / 'none' / 'token.db'}"})
    assert (found.level, found.subject) == (Level.FAIL, "token.store")


# The command.


def test_the_command_says_what_is_wrong_and_what_to_do(leaky: Leaky, data: Path) -> None:
    ports = {k: v for k, v in system_environment(data).items() if k.startswith("LEAKY_")}
    fine = leaky("doctor", **ports)
    assert fine.returncode == 0, fine.stdout
    assert fine.stdout.endswith(" OK, 0 WARN, 0 FAIL\n")
    wrong = leaky("doctor", **ports, LEAKY_TOKEN_BUCKET_CAPACITY="0")
    assert wrong.returncode == 1
    assert "FAIL  token " in wrong.stdout
    assert "-> Correct what is named" in wrong.stdout
    assert leaky("doctor", "tokens").returncode == 2


def test_the_command_prints_json_and_looks_at_what_it_is_asked(leaky: Leaky, data: Path) -> None:
    ports = {k: v for k, v in system_environment(data).items() if k.startswith("LEAKY_")}
    done = leaky("doctor", "gateway", "--json", **ports, LEAKY_TOKEN_BUCKET_CAPACITY="0")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(one.keys() == {"level", "subject", "what", "advice"} for one in found)
    subjects = {one["subject"] for one in found}
    assert "gateway.rate-limit.store" in subjects
    assert "token.store" not in subjects


def test_services_that_run_are_asked_how_they_are(leaky: Leaky, data: Path) -> None:
    env = system_environment(data)
    ours = {key: text for key, text in env.items() if key.startswith("LEAKY_")}
    with up(env) as running:
        running.ready()
        done = leaky("doctor", "--json", **ours)
    assert done.returncode == 0, done.stdout
    said = {one["subject"]: one["what"] for one in json.loads(done.stdout)}
    assert all(said[name].startswith("is healthy at") for name in NAMES)
